"""Bringing a job to its end on any backend: submit or find again, follow, stop, record.

All that is the same for every backend is here, once.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.audit import current_actor
from isocenter.backends import Backend
from isocenter.backends.console import known_as, look_at
from isocenter.backends.outage import DEADLINE_S, Outage
from isocenter.domain.artifact import Artifact
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.domain.run import JobHandle, JobState, JobStatus, RunId, new_run_id
from isocenter.domain.submission import Submission
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IntegrityError,
    IsocenterError,
    JobFailedError,
)
from isocenter.pipelines.observer import FoundJob, Observer
from isocenter.pipelines.pulse import states_told
from isocenter.pipelines.records import Records
from isocenter.pipelines.staging import fetch, missing, stage, upload
from isocenter.registry.runs import Attempt

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from isocenter.targets.descriptor import DeploymentDescriptor

_SHORTEST_WAIT_S = 0.005
_LONGEST_WAIT_S = 2.0
_MISSING_GRACE_S = 10.0
# Between two looks at the state of a job that is followed.
_LOOK_S, _EMULATED_LOOK_S = 10.0, 1.0


@dataclass(frozen=True)
class JobLauncher:
    """Runs jobs on one target.

    Args:
        backend: the target's backend.
        target: the target's name, for the records.
        records: the store's records.
        observer: is told what happens.
        descriptor: of the target; None: jobs run on this machine, on the directories as they are.
    """

    backend: Backend
    target: str
    records: Records
    observer: Observer
    descriptor: "DeploymentDescriptor | None" = None

    def run_for(self, job: TrainingJob, key: str) -> RunId:
        """The run that began this step and did not end well, if it asks for the same; else a new one."""
        found = self.records.runs.open_run_for(key)
        if found and self.plan(job, found.id).digest == found.submission_digest:
            return found.id
        return new_run_id()

    def plan(self, job: TrainingJob, run: RunId) -> Submission:
        """The request that the target would be sent; nothing is copied or asked.

        Raises:
            InputError: the target can't run such a job.
            PolicyError: the inputs may not leave their residency zone.
        """
        return self.backend.plan(stage(job, self.records.home, self.descriptor).job, run)

    def finish(
        self,
        step: str,
        job: TrainingJob,
        run: RunId,
        key: str,
        check: Callable[[], None] = lambda: None,
    ) -> Sequence[Artifact]:
        """Start ``job`` as ``run``, or go on with it, and wait for its end.

        The run is recorded as succeeded by :meth:`settle`, after its outputs are safe: until then, a pipeline
        that comes later finds it and takes its outputs.

        Args:
            step: name of the pipeline's step, for the observer.
            job: what to run.
            run: from :meth:`run_for`.
            key: the step's key.
            check: raises where the job must not read its inputs as they are in this store; called where it
                reads them here, or they are about to be copied to its target.

        Returns:
            what the job left, where the job left it.

        Raises:
            PolicyError: the request breaks a rule for jobs (:mod:`isocenter.policy`).
            JobFailedError: it ended without success; the message has its reason.
            InputError, IntegrityError, EnvironmentFaultError: the same, and its exit code said so.
            EnvironmentFaultError: the backend lost sight of it.
        """
        staged = stage(job, self.records.home, self.descriptor)
        submission = self.backend.plan(staged.job, run)
        if self.descriptor is not None:
            # Loaded here: a job on this machine is nobody else's affair, and waits for nothing.
            from isocenter.policy import refuse_unless_kept

            refuse_unless_kept(submission, self.descriptor)
        to_copy = {} if self.descriptor is None else missing(staged, self.descriptor)
        if self.descriptor is None or to_copy:
            check()
        asked = replace(staged.job, image=submission.image or staged.job.image)
        record = self.records.runs.create(
            run, asked, self.target, submission.digest, key, backend=self.backend.name
        )
        if record.state.is_final:
            self.records.runs.set_status(run, JobStatus(JobState.PENDING))
        if self.descriptor is not None:
            self.observer.job_begun(step, run, self.target, copies=bool(to_copy))
            with self._end_told(run):
                upload(to_copy, self.descriptor, self.records.trail)
            self._refuse_cancelled(step, run)
        with self._end_told(run):
            handle, attempt = self._submit(submission)
        # Once it runs: the job waits for no list of prices.
        found = self._found(handle, attempt.number, self._cost(job))
        self.observer.job_found(step, found, resumed=bool(record.attempts))
        if self.descriptor is not None and attempt not in record.attempts:
            self.observer.job_seen(step, JobStatus(JobState.PENDING))
        status = self._watch(step, handle)
        if status.state is not JobState.SUCCEEDED:
            self.records.runs.set_status(run, status)
            raise _failure(step, run, status)
        return self.backend.outputs(handle)

    def _cost(self, job: TrainingJob) -> str:
        if self.descriptor is None:
            return ""
        from isocenter.backends.cost import estimate_cost

        cost = estimate_cost(self.descriptor, job.compute)
        return "" if cost is None else cost.sentence

    def collect(self, left: Sequence[Artifact], folder: Path) -> Mapping[str, Path]:
        """Directories here with what a job left, by name.

        Args:
            left: from :meth:`finish`.
            folder: to copy into, where the job ran elsewhere.

        Raises:
            IntegrityError: an archive that can't be trusted.
            TransientFaultError: the target's storage can't be reached.
        """
        return {artifact.name: fetch(artifact, folder, self.descriptor) for artifact in left}

    def settle(self, run: RunId, outputs: Sequence[Artifact]) -> None:
        """Record that ``run`` succeeded and what it left."""
        if outputs:
            self.records.runs.set_outputs(run, outputs)
        self.records.runs.set_status(run, JobStatus(JobState.SUCCEEDED, exit_code=0))

    @contextmanager
    def _end_told(self, run: RunId) -> Iterator[None]:
        """A run that could not be submitted has ended, and says why; the same command tries it again."""
        try:
            yield
        except KeyboardInterrupt:
            ended = JobStatus(JobState.CANCELLED, reason="Interrupted before it was submitted.")
            self.records.runs.set_status(run, ended)
            raise
        except Exception as error:
            why = error.message if isinstance(error, IsocenterError) else f"{type(error).__name__}."
            ended = JobStatus(JobState.FAILED, reason=f"It could not be submitted. {why}")
            self.records.runs.set_status(run, ended)
            raise

    def _refuse_cancelled(self, step: str, run: RunId) -> None:
        """Somebody may have cancelled the run while its inputs were copied."""
        seen = self.records.runs.get(run)
        if seen.state is JobState.CANCELLED:
            raise _failure(step, run, JobStatus(seen.state))

    def _submit(self, submission: Submission) -> tuple[JobHandle, Attempt]:
        """Start the job, or find it; what was started is in the audit trail, once."""
        details = {"target": self.target, "backend": submission.backend, "request": submission.digest}

        def record(attempt: Attempt, connection: "Connection") -> None:
            told = {**details, "attempt": attempt.number, "job": attempt.external_id}
            event = AuditEvent(current_actor(), "run.submit", f"run:{submission.run}", details=told)
            self.records.trail.append(event, connection)

        self.records.trail.check()
        try:
            handle = self.backend.submit(submission)
        except IsocenterError as error:
            told = {**details, "error": error.code}
            about = f"run:{submission.run}"
            self.records.trail.append(AuditEvent(current_actor(), "run.submit", about, Outcome.FAILURE, told))
            raise
        return handle, self.records.runs.add_attempt(submission.run, handle, record)

    def _watch(self, step: str, handle: JobHandle) -> JobStatus:
        """Follow the job to its end; Ctrl-C stops it at a checkpoint."""
        self.records.runs.set_status(handle.run, JobStatus(JobState.RUNNING))
        try:
            with self._seen(step, handle):
                for line in self.backend.logs(handle, follow=True):
                    self._tell(step, line)
                return await_end(self.backend, handle, say=self.observer.outage)
        except KeyboardInterrupt:
            self.observer.job_stopping(step)
            self.backend.cancel(handle)
            status = await_end(self.backend, handle, say=self.observer.outage)
            self.records.runs.set_status(handle.run, status)
            raise

    def _found(self, handle: JobHandle, attempt: int, cost: str) -> FoundJob:
        if self.descriptor is None:
            return FoundJob(handle.run, attempt)
        return FoundJob(handle.run, attempt, known_as(handle), look_at(handle, self.descriptor), cost)

    def _seen(self, step: str, handle: JobHandle) -> AbstractContextManager[None]:
        """Tells the observer where a job on a target is. One on this machine says enough by its log."""
        if self.descriptor is None:
            return nullcontext()
        every_s = _EMULATED_LOOK_S if self.descriptor.emulated else _LOOK_S
        return states_told(
            lambda: self.backend.status(handle), partial(self.observer.job_seen, step), every_s=every_s
        )

    def _tell(self, step: str, line: str) -> None:
        event = structured_event(line)
        if event is not None:
            self.observer.progress(step, event)


def await_end(
    backend: Backend, handle: JobHandle, *, say: Callable[[str], None] = lambda sentence: None
) -> JobStatus:
    """How the job ended, once it has; one that the service has no more has failed, and is ``missing``.

    Args:
        backend: that has the job.
        handle: of the job; it was submitted.
        say: see :class:`~isocenter.backends.outage.Outage`.

    Raises:
        EnvironmentFaultError: the backend could not tell for ten minutes where the job is.
    """
    wait, outage, missing_since = _SHORTEST_WAIT_S, Outage(say), float("inf")
    while True:
        status = backend.status(handle)
        if status.state is not JobState.UNKNOWN or status.missing:
            outage.ended()
        elif not outage.met(status.reason or f"The backend {backend.name!r} can't tell where the job is."):
            raise EnvironmentFaultError(
                f"Where run {handle.run} is could not be told for {DEADLINE_S / 60:.0f} minutes."
                f" {status.reason or ''}".rstrip(),
                hint="The same command again looks for it.",
            )
        if status.state.is_final:
            return status
        # A service may be late in knowing what it accepted.
        missing_since = min(missing_since, time.monotonic()) if status.missing else float("inf")
        if time.monotonic() - missing_since > _MISSING_GRACE_S:
            return replace(status, state=JobState.FAILED)
        time.sleep(wait)
        wait = min(wait * 1.5, _LONGEST_WAIT_S)


def structured_event(line: str) -> Mapping[str, Any] | None:
    """The event that a line of a job's log holds; None if it is text."""
    if not line.startswith("{"):
        return None
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and isinstance(value.get("event"), str) else None


def _failure(step: str, run: RunId, status: JobStatus) -> IsocenterError:
    """The job's end as an error of the kind that its exit code names (:mod:`isocenter.errors`)."""
    if status.state is JobState.CANCELLED:
        return JobFailedError(
            f"The {step} job was cancelled.",
            hint="The same command again continues from its last checkpoint.",
        )
    kinds: tuple[type[IsocenterError], ...] = (InputError, IntegrityError, EnvironmentFaultError)
    kind = next((kind for kind in kinds if kind.exit_code == status.exit_code), JobFailedError)
    # What the user gave, or what was changed, stays as it is: the same command would end in the same way.
    again = "" if kind in (InputError, IntegrityError) else " The same command again continues."
    if status.missing:
        return JobFailedError(
            f"The {step} job is lost. {status.reason}", hint="The same command again has it done anew."
        )
    return kind(
        f"The {step} job failed. {status.reason or 'It gave no reason.'}",
        hint=f"`isocenter run logs {run}` shows its log.{again}",
    )
