"""Jobs as pods of a Kubernetes cluster: a Kubeflow TrainJob where Trainer is installed, else a plain Job.

The attempts of a run are objects named by its id and a number, so that a submit whose answer was lost finds
what it started. A cancelled job is suspended, not deleted: Kubernetes ends its pods with their grace time,
and the record stays. Inputs and outputs are URIs of the object store, whose credentials a pod has by
reference to a secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

from isocenter.backends.base import Capability, refuse_unsupported
from isocenter.backends.following import Following
from isocenter.backends.job_environment import contract_environment
from isocenter.backends.kubernetes_api import Cluster, ConflictError, Object
from isocenter.backends.kubernetes_log import JobLog
from isocenter.backends.kubernetes_manifests import JobFrame, plain_job, renamed, train_job
from isocenter.backends.kubernetes_placement import place
from isocenter.backends.kubernetes_pod import PodRequest, image_of, pod_template
from isocenter.backends.kubernetes_state import CANCELLED_ANNOTATION, observed, settled
from isocenter.backends.place import described, job_labels, run_uri
from isocenter.backends.request_mark import request_mark
from isocenter.backends.time_limit import time_limit_s
from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, no_such_job
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IsocenterError,
    JobFailedError,
)
from isocenter.home import Home
from isocenter.targets.file_system import target_files
from isocenter.targets.storage_faults import storage_fault

_SUBMISSION_ANNOTATION = "isocenter/submission"
_NAMESPACE = "isocenter"
_PLACES = ("model", "output", "checkpoints")
_LEFT = ("model", "output")


@dataclass(frozen=True)
class _Attempt:
    """One submission of a run: the Job or TrainJob."""

    kind: str
    name: str

    @property
    def number(self) -> int:
        return int(self.name.rpartition("-")[2])

    @property
    def job(self) -> str:
        """Name of the Job that makes the pods. A TrainJob's: by JobSet, of the runtime's one ``node``."""
        return self.name if self.kind == "Job" else f"{self.name}-node-0"


class KubernetesBackend:
    """The backend of targets in a cluster: a hospital's own, EKS, GKE or AKS.

    Args:
        home: the store; not used.
        settings: ``descriptor`` (of the deployment), and in it or beside it: ``context`` and ``namespace``
            of the cluster, ``images`` (``training``: REF@sha256:...), ``trainer`` (true: only TrainJobs,
            false: only plain Jobs; default: as the cluster has it), ``kept_s`` (how long a Job that has
            ended is kept, default 14 days), and what :func:`~.kubernetes_pod.pod_template` and
            :func:`~.kubernetes_placement.place` take.
    """

    name: ClassVar[str] = "kubernetes"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)

    def __init__(self, home: Home, settings: Mapping[str, Any] | None = None) -> None:
        self._descriptor = described(settings or {}, self.name)
        self._settings = {**self._descriptor.settings, **(settings or {})}
        self._namespace: str = self._settings.get("namespace") or self._descriptor.workspace or _NAMESPACE

    def plan(self, job: TrainingJob, run: RunId) -> Submission:
        """The objects of the first attempt; further ones differ by the number at the end of their names.

        ``with_trainer`` and ``without_trainer`` each hold ``job`` and what it needs (``support``); submit
        sends those that the cluster can take.
        """
        refuse_unsupported(job, self.name, self.capabilities)
        labels = job_labels(self._descriptor, run, job.labels)
        frame = JobFrame(
            name=_name(run, 1),
            labels=labels,
            nodes=job.compute.nodes,
            gpus=job.compute.gpu_count,
            max_runtime_s=time_limit_s(job),
            **({"kept_s": self._settings["kept_s"]} if "kept_s" in self._settings else {}),
        )
        uris = {kind: run_uri(self._descriptor, run, kind) for kind in _PLACES}
        forms: dict[str, Any] = {}
        if self._settings.get("trainer") is not True:
            template = self._template(job, run, labels, uris, frame.job_master)
            forms["without_trainer"] = plain_job(frame, template)
        if self._settings.get("trainer") is not False:
            template = self._template(job, run, labels, uris, frame.trainjob_master)
            forms["with_trainer"] = train_job(frame, template)
        mark = request_mark(forms, run)
        for form in forms.values():
            form["job"]["metadata"].setdefault("annotations", {})[_SUBMISSION_ANNOTATION] = mark
        request = {
            "job": job.name,
            "namespace": self._namespace,
            "name": frame.name,
            "outputs": {kind: uris[kind] for kind in _LEFT},
            **forms,
        }
        return Submission(self.name, run, request)

    def submit(self, submission: Submission) -> JobHandle:
        """Start the run's next attempt, or find the one that goes on or has succeeded."""
        attempts = self._attempts(submission.run)
        for owner, _ in attempts:
            _refuse_other(owner, submission)
        if attempts:
            owner, last = attempts[-1]
            status = self._status(last, owner)
            if status.state not in (JobState.FAILED, JobState.CANCELLED):
                self._complete(owner, last, submission)
                return _handle(submission.run, last)
            self._put_to_rest(owner, last)
            self._clear(submission)
        return self._start(submission, attempts[-1][1].number + 1 if attempts else 1)

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the job is; UNKNOWN where the cluster can't tell."""
        attempt = _attempt(handle)
        if attempt is None:
            return JobStatus(JobState.UNKNOWN)
        try:
            return self._status(attempt)
        except IsocenterError as error:
            return JobStatus(JobState.UNKNOWN, reason=error.message)

    def logs(self, handle: JobHandle, *, follow: bool = False) -> Iterator[str]:
        """What the first of the job's pods wrote; then, of others that failed."""
        attempt = _attempt(handle)
        if attempt is None:
            return iter(())

        def has_ended() -> bool:
            status = self._status(attempt)
            return status.state.is_final or status.missing

        log = JobLog(self._cluster, lambda: self._pods(attempt), has_ended)
        return Following(log.follow()) if follow else log.read()

    def cancel(self, handle: JobHandle) -> None:
        """Suspend the job: Kubernetes sends its pods SIGTERM and, after their grace time, SIGKILL."""
        attempt = _attempt(handle)
        owner = self._cluster.get(attempt.kind, attempt.name) if attempt else None
        if attempt is None or owner is None or self._status(attempt, owner).state.is_final:
            return
        annotations = {CANCELLED_ANNOTATION: "true"}
        changes = {"metadata": {"annotations": annotations}, "spec": {"suspend": True}}
        self._cluster.patch(attempt.kind, attempt.name, changes)

    def outputs(self, handle: JobHandle) -> Sequence[Artifact]:
        """``model`` and ``output`` in the object store, where not empty; their digests are not known here."""
        status = self.status(handle)
        if status.state is not JobState.SUCCEEDED:
            raise JobFailedError(f"Run {handle.run} is {status.state.value}; it has no outputs.")
        uris = {kind: run_uri(self._descriptor, handle.run, kind) for kind in _LEFT}
        sizes = {kind: self._size(uri) for kind, uri in uris.items()}
        return [
            Artifact(kind, "", MediaType.FILES, uris[kind], size)
            for kind, size in sizes.items()
            if size is not None
        ]

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self._descriptor, self._namespace, self._settings.get("context", ""))

    @cached_property
    def _has_trainer(self) -> bool:
        return self._cluster.has_trainer()

    def _template(
        self, job: TrainingJob, run: RunId, labels: Mapping[str, str], uris: Mapping[str, str], master: str
    ) -> Object:
        request = PodRequest(
            image=image_of(job.image, self._descriptor, self._settings),
            arguments=job.command,
            environment=contract_environment(job, run, uris),
            inputs=job.inputs,
            labels=labels,
            placement=place(job.compute, self._descriptor, self._settings),
            nodes=job.compute.nodes,
            master=master,
        )
        return pod_template(request, self._descriptor, self._settings)

    def _attempts(self, run: RunId) -> list[tuple[Object, _Attempt]]:
        """The run's attempts, oldest first. A cluster may have got Trainer between two of them."""
        kinds = ("Job", "TrainJob") if self._has_trainer else ("Job",)
        found = [
            (thing, _Attempt(kind, thing["metadata"]["name"]))
            for kind in kinds
            for thing in self._cluster.list(kind, labels=f"isocenter-run={run.lower()}")
        ]
        ours = [(thing, attempt) for thing, attempt in found if _belongs(attempt.name, run)]
        return sorted(ours, key=lambda pair: pair[1].number)

    def _start(self, submission: Submission, number: int) -> JobHandle:
        form = self._form(submission)
        first, name = submission.request["name"], _name(submission.run, number)
        objects = {part: renamed(manifest, first, name) for part, manifest in form.items()}
        job = objects["job"]
        if support := objects.get("support"):
            self._make(support)
        try:
            owner = self._cluster.create(job)
        except ConflictError:  # somebody else, or we before our answer was lost
            owner = self._cluster.get(job["kind"], job["metadata"]["name"]) or job
            _refuse_other(owner, submission)
        attempt = _Attempt(job["kind"], job["metadata"]["name"])
        self._complete(owner, attempt, submission)
        return _handle(submission.run, attempt)

    def _form(self, submission: Submission) -> Mapping[str, Object]:
        request = submission.request
        wanted = "with_trainer" if self._has_trainer else "without_trainer"
        form: Mapping[str, Object] | None = request.get(wanted)
        if form is None and self._has_trainer:
            form = request.get("without_trainer")
        if form is None:
            raise EnvironmentFaultError(
                f"The cluster of {self._descriptor.name} has no Kubeflow Trainer.",
                hint="Install it, or set trainer: false in the deployment descriptor's settings.",
            )
        return form

    def _make(self, support: Object) -> None:
        try:
            self._cluster.create(support)
        except ConflictError:
            return  # a submit before this one got so far

    def _complete(self, owner: Object, attempt: _Attempt, submission: Submission) -> None:
        """Give the job what it needs, and make that go when the job goes."""
        part = "without_trainer" if attempt.kind == "Job" else "with_trainer"
        planned = submission.request.get(part, {}).get("support")
        if planned is None:
            return
        support = renamed(planned, submission.request["name"], _name(submission.run, attempt.number))
        found = self._cluster.get(support["kind"], support["metadata"]["name"])
        if found is None:
            self._make(support)
        if found is None or not found["metadata"].get("ownerReferences"):
            reference = {
                "apiVersion": owner["apiVersion"],
                "kind": attempt.kind,
                "name": attempt.name,
                "uid": owner["metadata"]["uid"],
            }
            changes = {"metadata": {"ownerReferences": [reference]}}
            self._cluster.patch(support["kind"], support["metadata"]["name"], changes)

    def _put_to_rest(self, owner: Object, attempt: _Attempt) -> None:
        """A job whose pods the cluster refuses might start after all, beside the next attempt."""
        if owner["spec"].get("suspend") or owner.get("status", {}).get("completionTime"):
            return
        ended = {found["type"] for found in owner.get("status", {}).get("conditions") or ()}
        if not ended & {"Complete", "Failed"}:
            self._cluster.patch(attempt.kind, attempt.name, {"spec": {"suspend": True}})

    def _status(self, attempt: _Attempt, owner: Object | None = None) -> JobStatus:
        owner = owner or self._cluster.get(attempt.kind, attempt.name)
        if owner is None:
            return no_such_job(self._descriptor.name, attempt.name)
        job = owner if attempt.kind == "Job" else self._cluster.get("Job", attempt.job)
        if told := settled(owner, job):
            return told
        pods = self._pods(attempt)
        events = [] if pods else self._cluster.list("Event", fields=_about(attempt.job))
        return observed(owner, job, pods, events)

    def _pods(self, attempt: _Attempt) -> list[Object]:
        return self._cluster.list("Pod", labels=f"batch.kubernetes.io/job-name={attempt.job}")

    def _clear(self, submission: Submission) -> None:
        """What an attempt before left half done must not end up in the next one's model."""
        for uri in submission.request["outputs"].values():
            self._on_storage(uri, partial(_remove, uri))

    def _size(self, uri: str) -> int | None:
        """Bytes of the files under ``uri``; None if there are none."""
        found = self._on_storage(uri, lambda files: files.find(uri, detail=True))
        return sum(entry["size"] or 0 for entry in found.values()) if found else None

    def _on_storage(self, uri: str, action: Callable[[Any], Any]) -> Any:
        try:
            return action(target_files(self._descriptor, uri))
        except FileNotFoundError:
            return None
        except EnvironmentFaultError:
            raise
        except Exception as error:  # each file system has errors of its own
            raise storage_fault(error, self._descriptor.name, uri.partition("://")[0]) from error


def _remove(uri: str, files: Any) -> None:
    if files.exists(uri):
        files.rm(uri, recursive=True)


def _base(run: RunId) -> str:
    return f"isocenter-{run.lower()}"


def _name(run: RunId, attempt: int) -> str:
    return f"{_base(run)}-{attempt}"


def _belongs(name: str, run: RunId) -> bool:
    return re.fullmatch(rf"{_base(run)}-[1-9]\d*", name) is not None


def _about(job: str) -> str:
    return f"involvedObject.name={job},reason=FailedCreate"


def _handle(run: RunId, attempt: _Attempt) -> JobHandle:
    return JobHandle(KubernetesBackend.name, run, f"{attempt.kind.lower()}/{attempt.name}")


def _attempt(handle: JobHandle) -> _Attempt | None:
    """What the handle names; None if it is not one of ours."""
    kind, _, name = handle.external_id.partition("/")
    kinds = {"job": "Job", "trainjob": "TrainJob"}
    if handle.backend != KubernetesBackend.name or kind not in kinds or not _belongs(name, handle.run):
        return None
    return _Attempt(kinds[kind], name)


def _refuse_other(owner: Object, submission: Submission) -> None:
    known = owner["metadata"].get("annotations", {}).get(_SUBMISSION_ANNOTATION)
    request = submission.request
    form = request.get("without_trainer") or request["with_trainer"]
    if known != form["job"]["metadata"]["annotations"][_SUBMISSION_ANNOTATION]:
        raise InputError(
            f"Run {submission.run} was submitted before with another request.", hint="Use a new run id."
        )
