"""Jobs as Vertex AI CustomJobs.

A run's jobs carry its id in their display name and labels, and are looked for before one is made: Vertex AI
gives a CustomJob its own number, so there is no name that could be taken only once.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from filelock import FileLock

from isocenter.backends.base import Capability, refuse_unsupported
from isocenter.backends.following import Following
from isocenter.backends.job_log import reason_in
from isocenter.backends.place import described, run_uri
from isocenter.backends.vertex_faults import explained
from isocenter.backends.vertex_log import ContainerLog
from isocenter.backends.vertex_request import ATTEMPT, REQUEST_DIGEST, custom_job, location_of, project_of
from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, no_such_job
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import InputError, IsocenterError, JobFailedError, NotFoundError, TransientFaultError
from isocenter.home import Home

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.aiplatform_v1 import CustomJob, JobServiceClient

_RUN = "isocenter-run"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_STATES: Mapping[str, JobState] = {
    "JOB_STATE_QUEUED": JobState.PENDING,
    "JOB_STATE_PENDING": JobState.PENDING,
    "JOB_STATE_PAUSED": JobState.PENDING,
    "JOB_STATE_RUNNING": JobState.RUNNING,
    "JOB_STATE_UPDATING": JobState.RUNNING,
    "JOB_STATE_CANCELLING": JobState.RUNNING,
    "JOB_STATE_SUCCEEDED": JobState.SUCCEEDED,
    "JOB_STATE_FAILED": JobState.FAILED,
    "JOB_STATE_EXPIRED": JobState.FAILED,
    "JOB_STATE_PARTIALLY_SUCCEEDED": JobState.FAILED,
    "JOB_STATE_CANCELLED": JobState.CANCELLED,
}
_EXIT_CODE = re.compile(r"non-zero status of (-?\d+)")
_ADVICE = re.compile(
    r"\s*(?:Termination reason: \w+\.)?\s*To find out more about why your job exited.*", re.S
)
_TIMED_OUT = re.compile(r"time ?out|time limit|deadline", re.I)
_REASON_ENTRIES = 100
_DEADLINE_EXCEEDED = 4


class VertexBackend:
    """The backend of targets on Google Cloud.

    Args:
        home: the store; only lock files are written there.
        settings: ``descriptor``; beside it ``timeout_s`` (of one request, default 60), ``log_poll_s``
            (between two looks at a log that is followed, default 5) and ``log_settle_s`` (how long a log's
            last lines may take to come, default 10). Those of the descriptor's settings that matter:
            ``project``, ``peered_network`` or ``network_attachment``, ``images``, ``cpu_machine``,
            ``boot_disk_gb``.
    """

    name: ClassVar[str] = "vertex"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)

    def __init__(self, home: Home, settings: Mapping[str, Any]) -> None:
        self._descriptor = described(settings, self.name)
        self._locks = home.locks
        emulated = self._descriptor.emulated
        self._timeout_s = float(settings.get("timeout_s", 60))
        self._poll_s = float(settings.get("log_poll_s", 0.1 if emulated else 5))
        self._settle_s = float(settings.get("log_settle_s", 0 if emulated else 10))

    def plan(self, job: TrainingJob, run: RunId) -> Submission:
        """The CustomJob of the first attempt, as the REST reference writes it, and where it is made."""
        refuse_unsupported(job, self.name, self.capabilities)
        request = {
            "parent": location_of(self._descriptor),
            "customJob": custom_job(job, run, self._descriptor),
        }
        return Submission(self.name, run, request)

    def submit(self, submission: Submission) -> JobHandle:
        """Make the run's next CustomJob, or find the one that goes on or has succeeded."""
        self._locks.mkdir(parents=True, exist_ok=True)
        # Two processes of this machine don't both find nothing and make one each.
        with (
            FileLock(self._locks / f"vertex-{submission.run}.lock"),
            explained("start the job", self._target),
        ):
            attempts = self._attempts(submission)
            if attempts and not _has_failed(attempts[-1]):
                return self._handle(submission.run, attempts[-1])
            number = int(attempts[-1].labels[ATTEMPT]) + 1 if attempts else 1
            return self._create(submission, number)

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the job is; UNKNOWN where the service doesn't tell."""
        if not self._is_mine(handle):
            return JobStatus(JobState.UNKNOWN)
        try:
            with explained("look at the job", self._target):
                job = self._client.get_custom_job(name=handle.external_id, timeout=self._timeout_s)
            return self._status(handle, job)
        except NotFoundError:
            return no_such_job(self._target, handle.external_id)
        except IsocenterError as error:
            return JobStatus(JobState.UNKNOWN, reason=error.message)

    def logs(self, handle: JobHandle, *, follow: bool = False) -> Iterator[str]:
        """Standard output and error of all replicas, from Cloud Logging."""
        if not self._is_mine(handle):
            return iter(())
        log = self._log(handle)
        return Following(log.follow(partial(self._is_over, handle))) if follow else log.lines()

    def cancel(self, handle: JobHandle) -> None:
        """Ask Vertex AI to stop the job: SIGTERM to its containers, then SIGKILL."""
        if not self._is_mine(handle):
            return
        with explained("cancel the job", self._target):
            from google.api_core.exceptions import BadRequest, NotFound

            try:
                self._client.cancel_custom_job(name=handle.external_id, timeout=self._timeout_s)
            except (BadRequest, NotFound):
                return  # it has ended

    def outputs(self, handle: JobHandle) -> Sequence[Artifact]:
        """``model`` and ``output`` of a run that succeeded, where they lie in the target's bucket."""
        status = self.status(handle)
        if status.state is JobState.UNKNOWN:
            raise TransientFaultError(f"{self._target} doesn't tell how run {handle.run} ended.")
        if status.state is not JobState.SUCCEEDED:
            raise JobFailedError(f"Run {handle.run} is {status.state.value}; it has no outputs.")
        found = (self._artifact(handle.run, kind) for kind in ("model", "output"))
        return [artifact for artifact in found if artifact is not None]

    def _is_over(self, handle: JobHandle) -> bool:
        status = self.status(handle)
        return status.state.is_final or status.missing

    @property
    def _target(self) -> str:
        return self._descriptor.name

    @cached_property
    def _credentials(self) -> "Credentials":
        """Of the SDK's standard chain.

        https://cloud.google.com/docs/authentication/application-default-credentials
        """
        import google.auth
        from google.auth.credentials import AnonymousCredentials

        if self._descriptor.emulated:
            return AnonymousCredentials()
        credentials, _ = google.auth.default(scopes=[_SCOPE])
        return credentials

    @cached_property
    def _client(self) -> "JobServiceClient":
        from google.api_core.client_options import ClientOptions
        from google.cloud.aiplatform_v1 import JobServiceClient

        regional = f"https://{self._descriptor.region}-aiplatform.googleapis.com"
        address = self._descriptor.endpoints.get("gcp") or regional
        return JobServiceClient(
            credentials=self._credentials,
            transport="rest",
            client_options=ClientOptions(api_endpoint=address),
        )

    @cached_property
    def _session(self) -> "AuthorizedSession":
        from google.auth.transport.requests import AuthorizedSession

        return AuthorizedSession(self._credentials)

    def _log(self, handle: JobHandle) -> ContainerLog:
        endpoints = self._descriptor.endpoints
        emulated = endpoints.get("gcp", "") if self._descriptor.emulated else ""
        with explained("read the job's log", self._target):
            session = self._session
        return ContainerLog(
            session,
            endpoints.get("gcp-logging") or emulated or "https://logging.googleapis.com",
            project_of(self._descriptor),
            (
                'resource.type="ml_job"',
                f'resource.labels.job_id="{handle.external_id.rpartition("/")[2]}"',
            ),
            self._target,
            self._poll_s,
            self._settle_s,
            self._timeout_s,
        )

    def _attempts(self, submission: Submission) -> list["CustomJob"]:
        """The run's CustomJobs, the oldest first.

        Raises:
            InputError: one of them was made of another request.
        """
        planned = submission.request["customJob"]
        names = f"{_without_number(planned['displayName'])}-*"
        found = self._client.list_custom_jobs(
            request={"parent": submission.request["parent"], "filter": f'display_name:"{names}"'},
            timeout=self._timeout_s,
        )
        jobs = [job for job in found if job.labels.get(_RUN) == submission.run.lower()]
        if any(job.labels.get(REQUEST_DIGEST) != planned["labels"][REQUEST_DIGEST] for job in jobs):
            raise InputError(
                f"Run {submission.run} was submitted before with another request.", hint="Use a new run id."
            )
        return sorted(jobs, key=lambda job: int(job.labels[ATTEMPT]))

    def _create(self, submission: Submission, attempt: int) -> JobHandle:
        from google.cloud.aiplatform_v1 import CustomJob

        planned = submission.request["customJob"]
        name = f"{_without_number(planned['displayName'])}-{attempt}"
        body = {**planned, "displayName": name, "labels": {**planned["labels"], ATTEMPT: str(attempt)}}
        made = self._client.create_custom_job(
            parent=submission.request["parent"],
            custom_job=CustomJob.from_json(json.dumps(body), ignore_unknown_fields=False),
            timeout=self._timeout_s,
        )
        return self._handle(submission.run, made)

    def _handle(self, run: RunId, job: "CustomJob") -> JobHandle:
        return JobHandle(self.name, run, job.name)

    def _is_mine(self, handle: JobHandle) -> bool:
        region = re.escape(self._descriptor.region)
        name = rf"projects/[a-z0-9:.-]+/locations/{region}/customJobs/\d+"
        return handle.backend == self.name and re.fullmatch(name, handle.external_id) is not None

    def _status(self, handle: JobHandle, job: "CustomJob") -> JobStatus:
        state = _STATES.get(job.state.name, JobState.UNKNOWN)
        if state is JobState.SUCCEEDED:
            return JobStatus(state, exit_code=0)
        if state is JobState.CANCELLED:
            return JobStatus(state, reason="Stopped on request.")
        if state is not JobState.FAILED:
            return JobStatus(state)
        said = str(job.error.message)
        code = _EXIT_CODE.search(said)
        if not code and (job.state.name == "JOB_STATE_EXPIRED" or _is_deadline(job)):
            return JobStatus(state, reason="Stopped at its time limit.")
        reason = (self._last_words(handle) if code else "") or _ADVICE.sub("", said)
        return JobStatus(state, int(code[1]) if code else None, reason or "Vertex AI gave no reason.")

    def _last_words(self, handle: JobHandle) -> str:
        """The last paragraph of the job's log; empty where it can't be read."""
        try:
            return reason_in("\n".join(self._log(handle).last_lines(_REASON_ENTRIES)))
        except IsocenterError:
            return ""

    def _artifact(self, run: RunId, kind: str) -> Artifact | None:
        from isocenter.targets.file_system import target_files
        from isocenter.targets.storage_faults import storage_fault

        uri = run_uri(self._descriptor, run, kind)
        files = target_files(self._descriptor, uri)
        try:
            sizes = [int(found["size"]) for found in files.find(uri, detail=True).values()]
        except Exception as error:  # each file system has errors of its own
            raise storage_fault(error, self._target, "gs") from error
        return Artifact(kind, "", MediaType.FILES, uri, sum(sizes)) if sizes else None


def _has_failed(job: "CustomJob") -> bool:
    return _STATES.get(job.state.name) in (JobState.FAILED, JobState.CANCELLED)


def _is_deadline(job: "CustomJob") -> bool:
    return job.error.code == _DEADLINE_EXCEEDED or _TIMED_OUT.search(job.error.message) is not None


def _without_number(name: str) -> str:
    """The display name of an attempt without the attempt's number."""
    return name.rpartition("-")[0]
