"""Jobs as command jobs of Azure ML, through azure-ai-ml.

A run's attempts are jobs named by run and number: what was accepted is found again by its name, however the
client ended. All attempts share one place for checkpoints. A low-priority machine that is taken back is Azure
ML's own affair: the same job is queued again and finds its checkpoints.
"""

import io
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from isocenter.backends.azureml_client import open_client
from isocenter.backends.azureml_faults import explained
from isocenter.backends.azureml_log import JobLog, log_tail
from isocenter.backends.azureml_request import (
    REQUEST_DIGEST,
    attempt_outputs,
    command_job,
    job_name,
    output_uri,
)
from isocenter.backends.base import Capability
from isocenter.backends.following import Following, Look
from isocenter.backends.job_log import reason_in
from isocenter.backends.place import described
from isocenter.domain.artifact import Artifact, MediaType
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, no_such_job
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import (
    InputError,
    IsocenterError,
    JobFailedError,
    NotFoundError,
    PolicyError,
    TransientFaultError,
)
from isocenter.home import Home
from isocenter.targets.file_system import target_files

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

# https://learn.microsoft.com/rest/api/azureml/jobs/get#jobstatus
_STATES = {
    "Completed": JobState.SUCCEEDED,
    "Failed": JobState.FAILED,
    "Canceled": JobState.CANCELLED,
    "Running": JobState.RUNNING,
    "Finalizing": JobState.RUNNING,
    "CancelRequested": JobState.RUNNING,
    **dict.fromkeys(
        ("NotStarted", "Starting", "Provisioning", "Preparing", "Queued", "Scheduled", "Paused"),
        JobState.PENDING,
    ),
}
_EXIT_CODE = re.compile(r"(?:exited with (?:status )?code|exit_codes?:?)\s*(-?\d+)")
_LOG_NAMED = re.compile(r"log file '([^']+)'")
_READ_S = 60.0
_SHORTEST_WAIT_S = 0.05
_LONGEST_WAIT_S = 5.0


class AzureMLBackend:
    """The backend of targets on Azure.

    Args:
        home: the store; nothing is kept there.
        settings: ``descriptor``; ``read_timeout_s`` (of one call, default 60), and those of
            :func:`~isocenter.backends.azureml_request.command_job`.

    Raises:
        InputError: there is no descriptor.
    """

    name: ClassVar[str] = "azureml"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)

    def __init__(self, home: Home, settings: Mapping[str, Any] | None = None) -> None:
        self._descriptor = described(settings or {}, self.name)
        self._settings = {**self._descriptor.settings, **(settings or {})}

    def plan(self, job: TrainingJob, run: RunId) -> Submission:
        """The command job of the run's first attempt, and what its workspace must be like."""
        return Submission(self.name, run, command_job(self._descriptor, self._settings, job, run))

    def submit(self, submission: Submission) -> JobHandle:
        """Create the run's next job, or find the one that goes on or has completed."""
        number = 1
        while True:
            name = job_name(submission.run, number)
            found = self._find(name)
            if found is None:
                self._create(submission, number)
                return JobHandle(self.name, submission.run, name)
            _refuse_other(found, submission)
            if _state(found) not in (JobState.FAILED, JobState.CANCELLED):
                return JobHandle(self.name, submission.run, name)
            number += 1

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the job is; UNKNOWN also while Azure can't be asked."""
        try:
            name = self._name(handle)
            if name is None:
                return JobStatus(JobState.UNKNOWN)
            found = self._find(name)
            return no_such_job(self._descriptor.name, name) if found is None else self._status(found)
        except IsocenterError as error:
            return JobStatus(JobState.UNKNOWN, reason=error.message)

    def logs(self, handle: JobHandle, *, follow: bool = False) -> Iterator[str]:
        """What the container wrote (that of rank 0)."""
        name = self._name(handle)
        if name is None:
            return iter(())
        return Following(self._follow(name)) if follow else self._lines(name)

    def cancel(self, handle: JobHandle) -> None:
        """Ask Azure ML to cancel the job: SIGTERM, then some seconds."""
        found = self._job(handle)
        if found is None or _state(found).is_final:
            return
        with self._asking("cancel the job"):
            self._client.jobs.begin_cancel(found.name, polling=False)

    def outputs(self, handle: JobHandle) -> Sequence[Artifact]:
        """``model`` and ``output`` of a job that completed, where not empty; digests come with the files."""
        found = self._job(handle)
        state = JobState.UNKNOWN if found is None else _state(found)
        if found is None or state is not JobState.SUCCEEDED:
            raise JobFailedError(f"Run {handle.run} is {state.value}; it has no outputs.")
        attempt = int(found.name.rpartition("-")[2])
        uris = {kind: output_uri(self._descriptor, handle.run, kind, attempt) for kind in ("model", "output")}
        with self._asking("read the outputs"):
            sizes = {kind: self._size(uri) for kind, uri in uris.items()}
        return [
            Artifact(kind, "", MediaType.FILES, uri, sizes[kind]) for kind, uri in uris.items() if sizes[kind]
        ]

    @cached_property
    def _client(self) -> "MLClient":
        return open_client(
            self._descriptor, read_timeout_s=float(self._settings.get("read_timeout_s", _READ_S))
        )

    def _asking(self, what: str) -> Any:
        return explained(what, self._descriptor.name)

    def _name(self, handle: JobHandle) -> str | None:
        """The job of ``handle``; None where it is not of this backend."""
        number = handle.external_id.rpartition("-")[2]
        if handle.backend != self.name or not number.isdecimal():
            return None
        return handle.external_id if handle.external_id == job_name(handle.run, int(number)) else None

    def _job(self, handle: JobHandle) -> Any | None:
        name = self._name(handle)
        return None if name is None else self._find(name)

    def _find(self, name: str) -> Any | None:
        with self._asking("look for the job"):
            from azure.core.exceptions import ResourceNotFoundError

            try:
                return self._client.jobs.get(name)
            except ResourceNotFoundError:
                return None

    def _details(self, name: str) -> Any:
        """The run's details: the SDK's public face prints logs, but doesn't give them."""
        return self._client.jobs._runs_operations.get_run_details(name)

    def _create(self, submission: Submission, number: int) -> None:
        request, run = submission.request, submission.run
        self._check_workspace(request["workspace"]["must_have"])
        job = {**request["job"], "name": job_name(run, number)}
        if number > 1:
            job["outputs"] = attempt_outputs(self._descriptor, self._settings, run, number)
        with self._asking("start the job"):
            from azure.ai.ml import load_job

            self._client.jobs.create_or_update(load_job(io.StringIO(json.dumps(job))))

    def _check_workspace(self, wanted: Mapping[str, Any]) -> None:
        """Refuse to send a job where its keys or its network are not those of the plan."""
        with self._asking("look at the workspace"):
            found = self._client.workspaces.get(self._descriptor.workspace)
        key = found.customer_managed_key.key_uri if found.customer_managed_key else ""
        network = found.managed_network.isolation_mode if found.managed_network else ""
        is_so = {
            "customer_managed_key": f"{key}/".startswith(f"{wanted.get('customer_managed_key')}/"),
            "public_network_access": _same_word(str(found.public_network_access), "Disabled"),
            "managed_network": _same_word(network, str(wanted.get("managed_network"))),
        }
        for what, is_it in is_so.items():
            if what in wanted and not is_it:
                raise PolicyError(
                    f"The workspace {self._descriptor.workspace} is not as it was deployed: its"
                    f" {what.replace('_', ' ')} should be {wanted[what]}.",
                    hint="make drift CLOUD=azure shows what was changed; make deploy puts it back.",
                )

    def _status(self, found: Any) -> JobStatus:
        state = _state(found)
        if state is JobState.SUCCEEDED:
            return JobStatus(state, exit_code=0)
        if state not in (JobState.FAILED, JobState.CANCELLED):
            return JobStatus(state)
        with self._asking("ask how the job ended"):
            details = self._details(found.name)
            if state is JobState.FAILED:
                return _failure(details)
        if _ran_out_of_time(found, details):
            return JobStatus(JobState.FAILED, reason="Stopped at its time limit.")
        return JobStatus(state, reason="Stopped on request.")

    def _lines(self, name: str) -> Iterator[str]:
        if self._find(name) is not None:
            with self._asking("read the log"):
                yield from JobLog().new_lines(self._details(name), is_last=True)

    def _follow(self, name: str) -> Iterator[Look]:
        log, wait = JobLog(), _SHORTEST_WAIT_S
        longest = _SHORTEST_WAIT_S * 4 if self._descriptor.emulated else _LONGEST_WAIT_S
        if not self._is_there(name):
            return
        while True:
            came = over = False
            try:
                with self._asking("read the log"):
                    details = self._details(name)
                    over = _STATES.get(details.status, JobState.UNKNOWN).is_final
                    for line in log.new_lines(details, is_last=over):
                        came = True
                        yield line
                yield None
            except TransientFaultError as fault:
                yield fault
            except NotFoundError:
                over = not self._is_there(name)
            if over:
                return
            wait = _SHORTEST_WAIT_S if came else min(wait * 1.5, longest)
            time.sleep(wait)

    def _is_there(self, name: str) -> bool:
        try:
            return self._find(name) is not None
        except TransientFaultError:
            return True

    def _size(self, uri: str) -> int:
        files = target_files(self._descriptor, uri)
        return sum(int(one["size"]) for one in files.find(uri, detail=True).values())


def _state(found: Any) -> JobState:
    return _STATES.get(str(getattr(found.status, "value", found.status)), JobState.UNKNOWN)


def _failure(details: Any) -> JobStatus:
    """Why, in the words of the job; else in Azure ML's."""
    error = details.error.error if details.error else None
    said = str(error.message or "") if error else ""
    found = _EXIT_CODE.search(said)
    if found is None:
        return JobStatus(JobState.FAILED, reason=said[:1500] or "Azure ML gave no reason.")
    code = int(found[1])
    named = _LOG_NAMED.search(said)
    reason = reason_in(log_tail(details, named[1] if named else ""))
    return JobStatus(
        JobState.FAILED, code, reason or f"The job ended with exit code {code} and said nothing."
    )


def _ran_out_of_time(found: Any, details: Any) -> bool:
    """Azure ML cancels a job at its time limit; only its times tell that from a cancellation on request."""
    limit = found.limits.timeout if found.limits else None
    if not limit or not details.start_time_utc or not details.end_time_utc:
        return False
    return bool((details.end_time_utc - details.start_time_utc).total_seconds() >= limit)


def _refuse_other(found: Any, submission: Submission) -> None:
    if (found.tags or {}).get(REQUEST_DIGEST) != submission.request["job"]["tags"][REQUEST_DIGEST]:
        raise InputError(
            f"Run {submission.run} was submitted before with another request.", hint="Use a new run id."
        )


def _same_word(one: str, other: str) -> bool:
    """The SDK writes ``allow_only_approved_outbound`` for the service's ``AllowOnlyApprovedOutbound``."""
    return one.rpartition(".")[2].replace("_", "").lower() == other.replace("_", "").lower()
