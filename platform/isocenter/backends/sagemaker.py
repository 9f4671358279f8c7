"""Jobs as SageMaker training jobs, through boto3.

A run's attempts are training jobs named by deployment, run and number: what was accepted is found again by
its name, however the client ended. All attempts share one place for checkpoints. A spot machine that is taken
back is SageMaker's own affair: the same training job starts again there.
"""

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

from isocenter.backends.aws_calls import asking, aws_client, error_code, error_message
from isocenter.backends.base import Capability
from isocenter.backends.following import Following, Look
from isocenter.backends.job_log import reason_in
from isocenter.backends.place import described
from isocenter.backends.sagemaker_log import JobLog
from isocenter.backends.sagemaker_outputs import job_outputs
from isocenter.backends.sagemaker_request import REQUEST_DIGEST, job_name, training_request
from isocenter.domain.artifact import Artifact
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, no_such_job
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import (
    InputError,
    IsocenterError,
    JobFailedError,
    TransientFaultError,
)
from isocenter.home import Home

_ALGORITHM = re.compile(r"^AlgorithmError:\s*(?P<said>.*?),?\s*exit code: (?P<code>\d+)\s*$", re.S)
_AT_WORK = ("Training", "Uploading", "Stopping")
_SHORTEST_WAIT_S = 0.05
_READ_S = 60.0
# CloudWatch shows the last lines some seconds after the job has ended.
_LATE_LINES_S = 5.0
_LONGEST_WAIT_S = 5.0


class SageMakerBackend:
    """The backend of targets on AWS.

    Args:
        home: the store; nothing is kept there.
        settings: ``descriptor``; ``read_timeout_s`` (of one call, default 60), and those of
            :func:`~isocenter.backends.sagemaker_request.training_request`.

    Raises:
        InputError: there is no descriptor.
    """

    name: ClassVar[str] = "sagemaker"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(Capability)

    def __init__(self, home: Home, settings: Mapping[str, Any] | None = None) -> None:
        self._settings = settings or {}
        self._descriptor = described(self._settings, self.name)

    def plan(self, job: TrainingJob, run: RunId) -> Submission:
        """CreateTrainingJob for the run's first attempt."""
        return Submission(self.name, run, training_request(self._descriptor, self._settings, job, run))

    def submit(self, submission: Submission) -> JobHandle:
        """Create the run's next training job, or find the one that goes on or has completed."""
        number = 1
        while True:
            name = job_name(self._descriptor, submission.run, number)
            found = self._describe(name)
            if found is None:
                self._create({**submission.request, "TrainingJobName": name})
                return JobHandle(self.name, submission.run, name)
            _refuse_other(found, submission)
            if _state(found) not in (JobState.FAILED, JobState.CANCELLED):
                return JobHandle(self.name, submission.run, name)
            number += 1

    def status(self, handle: JobHandle) -> JobStatus:
        """Where the training job is; UNKNOWN also while AWS can't be asked."""
        try:
            name = self._name(handle)
            if name is None:
                return JobStatus(JobState.UNKNOWN)
            found = self._describe(name)
            return no_such_job(self._descriptor.name, name) if found is None else self._status(found)
        except IsocenterError as error:
            return JobStatus(JobState.UNKNOWN, reason=error.message)

    def logs(self, handle: JobHandle, *, follow: bool = False) -> Iterator[str]:
        """The containers' output as CloudWatch has it."""
        name = self._name(handle)
        if name is None:
            return iter(())
        return Following(self._follow(name)) if follow else self._lines(name)

    def cancel(self, handle: JobHandle) -> None:
        """StopTrainingJob: SIGTERM, then 120 seconds."""
        from botocore.exceptions import ClientError

        name = self._name(handle)
        if name is None:
            return
        with asking():
            try:
                self._sagemaker.stop_training_job(TrainingJobName=name)
            except ClientError as error:
                if not (_is_missing(error) or "is in status" in error_message(error)):
                    raise

    def outputs(self, handle: JobHandle) -> Sequence[Artifact]:
        """model.tar.gz and output.tar.gz of a training job that completed, where not empty."""
        found = self._find(handle)
        if found is None or _state(found) is not JobState.SUCCEEDED:
            state = JobState.UNKNOWN if found is None else _state(found)
            raise JobFailedError(f"Run {handle.run} is {state.value}; it has no outputs.")
        with asking():
            return job_outputs(self._s3, found["ModelArtifacts"]["S3ModelArtifacts"])

    @cached_property
    def _sagemaker(self) -> Any:
        return self._client("sagemaker")

    @cached_property
    def _logs(self) -> Any:
        return self._client("logs")

    @cached_property
    def _s3(self) -> Any:
        return self._client("s3")

    def _client(self, service: str) -> Any:
        timeout = float(self._settings.get("read_timeout_s", _READ_S))
        return aws_client(self._descriptor, service, read_timeout_s=timeout)

    def _name(self, handle: JobHandle) -> str | None:
        """The training job of ``handle``; None where it is not of this target."""
        number = handle.external_id.rpartition("-")[2]
        ours = handle.backend == self.name and number.isdecimal()
        if not ours or handle.external_id != job_name(self._descriptor, handle.run, int(number)):
            return None
        return handle.external_id

    def _find(self, handle: JobHandle) -> Mapping[str, Any] | None:
        name = self._name(handle)
        return None if name is None else self._describe(name)

    def _describe(self, name: str) -> Mapping[str, Any] | None:
        from botocore.exceptions import ClientError

        with asking():
            try:
                found: Mapping[str, Any] = self._sagemaker.describe_training_job(TrainingJobName=name)
                return found
            except ClientError as error:
                if _is_missing(error):
                    return None
                raise

    def _create(self, request: Mapping[str, Any]) -> None:
        from botocore.exceptions import ClientError

        with asking():
            try:
                self._sagemaker.create_training_job(**request)
            except ClientError as error:
                if error_code(error) != "ResourceInUse":
                    raise
                # Somebody else was quicker with the same run: what is there is looked at again.
                raise TransientFaultError("The training job was just created by somebody else.") from error

    def _status(self, found: Mapping[str, Any]) -> JobStatus:
        state = _state(found)
        if state is JobState.SUCCEEDED:
            return JobStatus(state, exit_code=0)
        if state is JobState.CANCELLED:
            return JobStatus(state, reason="Stopped on request.")
        return self._failure(found) if state is JobState.FAILED else JobStatus(state)

    def _failure(self, found: Mapping[str, Any]) -> JobStatus:
        match found["SecondaryStatus"]:
            case "MaxRuntimeExceeded":
                return JobStatus(JobState.FAILED, reason="Stopped at its time limit.")
            case "MaxWaitTimeExceeded":
                return JobStatus(JobState.FAILED, reason="No spot machine came in time.")
        said = str(found.get("FailureReason", "")).strip()
        ended = _ALGORITHM.match(said)
        if ended is None:
            return JobStatus(JobState.FAILED, reason=said or "SageMaker gave no reason.")
        code = int(ended["code"])
        reason = ended["said"].strip() or self._last_words(found["TrainingJobName"])
        return JobStatus(
            JobState.FAILED, code, reason or f"The job ended with exit code {code} and said nothing."
        )

    def _last_words(self, name: str) -> str:
        """From the log of a program that left no reason for the service."""
        try:
            with asking():
                return reason_in("\n".join(JobLog(self._logs, name).new_lines()))
        except IsocenterError:
            return ""

    def _lines(self, name: str) -> Iterator[str]:
        with asking():
            yield from JobLog(self._logs, name).new_lines()

    def _follow(self, name: str) -> Iterator[Look]:
        log, wait, ended = JobLog(self._logs, name), _SHORTEST_WAIT_S, False
        longest = _SHORTEST_WAIT_S * 4 if self._descriptor.emulated else _LONGEST_WAIT_S
        while True:
            came = over = False
            try:
                with asking():
                    for line in log.new_lines():
                        came = True
                        yield line
                over = ended and not came
                if not ended and (ended := self._has_ended(name)):
                    time.sleep(0 if self._descriptor.emulated else _LATE_LINES_S)
                    continue
                yield None
            except TransientFaultError as fault:
                yield fault
            if over:
                return
            wait = _SHORTEST_WAIT_S if came else min(wait * 1.5, longest)
            time.sleep(wait)

    def _has_ended(self, name: str) -> bool:
        found = self._describe(name)
        return found is None or _state(found).is_final


def _state(found: Mapping[str, Any]) -> JobState:
    match found["TrainingJobStatus"], found["SecondaryStatus"]:
        case "Completed", _:
            return JobState.SUCCEEDED
        case "Stopped", "MaxRuntimeExceeded" | "MaxWaitTimeExceeded":
            return JobState.FAILED
        case "Stopped", _:
            return JobState.CANCELLED
        case "Failed", _:
            return JobState.FAILED
        case "InProgress" | "Stopping", secondary:
            return JobState.RUNNING if secondary in _AT_WORK else JobState.PENDING
    return JobState.UNKNOWN


def _is_missing(error: Any) -> bool:
    """SageMaker says a training job that isn't there in either of two ways."""
    return error_code(error) == "ResourceNotFound" or (
        error_code(error) == "ValidationException" and "not found" in error_message(error).lower()
    )


def _refuse_other(found: Mapping[str, Any], submission: Submission) -> None:
    known = found.get("Environment", {}).get(REQUEST_DIGEST)
    if known != submission.request["Environment"][REQUEST_DIGEST]:
        raise InputError(
            f"Run {submission.run} was submitted before with another request.", hint="Use a new run id."
        )
