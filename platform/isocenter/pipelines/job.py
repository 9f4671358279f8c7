"""Bringing a job to its end on any backend: submit or find again, follow, stop, record.

All that is the same for every backend is here, once.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.backends import Backend
from isocenter.backends.console import known_as, look_at
from isocenter.domain.artifact import Artifact
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

if TYPE_CHECKING:
    from isocenter.targets.descriptor import DeploymentDescriptor

_SHORTEST_WAIT_S = 0.005
_LONGEST_WAIT_S = 2.0
_LONGEST_UNKNOWN_S = 600.0
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
        if self.descriptor is not None:
            self.observer.job_begun(step, run, self.target, copies=bool(to_copy))
            upload(to_copy, self.descriptor)
        handle = self.backend.submit(submission)
        attempt = self.records.runs.add_attempt(run, handle)
        self.observer.job_found(step, self._found(handle, attempt.number), resumed=bool(record.attempts))
        if self.descriptor is not None and attempt not in record.attempts:
            self.observer.job_seen(step, JobStatus(JobState.PENDING))
        status = self._watch(step, handle)
        if status.state is not JobState.SUCCEEDED:
            self.records.runs.set_status(run, status)
            raise _failure(step, run, status)
        return self.backend.outputs(handle)

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

    def _watch(self, step: str, handle: JobHandle) -> JobStatus:
        """Follow the job to its end; Ctrl-C stops it at a checkpoint."""
        self.records.runs.set_status(handle.run, JobStatus(JobState.RUNNING))
        try:
            with self._seen(step, handle):
                for line in self.backend.logs(handle, follow=True):
                    self._tell(step, line)
                return await_end(self.backend, handle)
        except KeyboardInterrupt:
            self.observer.job_stopping(step)
            self.backend.cancel(handle)
            self.records.runs.set_status(handle.run, await_end(self.backend, handle))
            raise

    def _found(self, handle: JobHandle, attempt: int) -> FoundJob:
        if self.descriptor is None:
            return FoundJob(handle.run, attempt)
        return FoundJob(handle.run, attempt, known_as(handle), look_at(handle, self.descriptor))

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


def await_end(backend: Backend, handle: JobHandle) -> JobStatus:
    """How the job ended, once it has.

    Raises:
        EnvironmentFaultError: the backend could not tell for ten minutes where the job is.
    """
    wait, last_seen = _SHORTEST_WAIT_S, time.monotonic()
    while True:
        status = backend.status(handle)
        if status.state.is_final:
            return status
        if status.state is not JobState.UNKNOWN:
            last_seen = time.monotonic()
        elif time.monotonic() - last_seen > _LONGEST_UNKNOWN_S:
            raise EnvironmentFaultError(
                f"The backend {backend.name!r} could not tell for"
                f" {_LONGEST_UNKNOWN_S / 60:.0f} minutes where run {handle.run} is.",
                hint="The same command again looks for it.",
            )
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
    return kind(
        f"The {step} job failed. {status.reason or 'It gave no reason.'}",
        hint=f"`isocenter run logs {run}` shows its log.{again}",
    )
