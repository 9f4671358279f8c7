"""Runs steps in order: a step whose inputs were seen before is not done again.

A lock per key makes a second pipeline on the same store wait and then find the step cached. The cache is
written after the work, so a pipeline that was killed does the unfinished step again, or goes on with its job.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from isocenter.audit import current_actor
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.domain.run import RunId
from isocenter.errors import IsocenterError
from isocenter.pipelines.observer import Observer
from isocenter.pipelines.records import Records
from isocenter.pipelines.step import Execution, Outputs, Step, StepResult, StepState, Subject


@dataclass(frozen=True)
class Runner:
    """Runs pipelines on one store.

    Args:
        records: the store's records.
        observer: is told what happens.
        pipeline: the pipeline's name in audit and lineage.
    """

    records: Records
    observer: Observer
    pipeline: str

    def run(self, steps: Sequence[Step]) -> tuple[StepResult, ...]:
        """Bring each step's outputs about, in order.

        Raises:
            IsocenterError: a step failed; the steps before it stay cached.
        """
        return tuple(self.each(steps))

    def each(self, steps: Sequence[Step]) -> Iterator[StepResult]:
        """The same, one step at a time: who asks knows what was done before a step failed."""
        outputs: dict[str, Outputs] = {}
        for step in steps:
            result = self.bring_about(step, dict(outputs))
            self.observer.step_ended(result)
            outputs[step.name] = result.outputs
            yield result

    def bring_about(self, step: Step, results: Mapping[str, Outputs]) -> StepResult:
        """Do one step, unless it has been done for these inputs.

        Args:
            step: what to do.
            results: outputs of the steps before it.

        Raises:
            IsocenterError: it failed.
        """
        begin = time.monotonic()
        key = step.key(results)
        state = StepState.CACHED
        found = self._cached(step, key)
        if found is None:
            with self._lock(step, key):
                found = self._cached(step, key)
                if found is None:
                    state, found = (
                        StepState.DONE,
                        self._do(step, Execution(key, step.run(key, results), results)),
                    )
        return StepResult(step.name, key, state, time.monotonic() - begin, found)

    def _cached(self, step: Step, key: str) -> Outputs | None:
        found = self.records.cache.get(key)
        return found if found is not None and step.still_there(found) else None

    @contextmanager
    def _lock(self, step: Step, key: str) -> Iterator[None]:
        from filelock import FileLock, Timeout

        self.records.home.locks.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.records.home.locks / f"step-{key.removeprefix('sha256:')}.lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            self.observer.step_waiting(step.name)
            lock.acquire(poll_interval=0.2)
        try:
            yield
        finally:
            lock.release()

    def _do(self, step: Step, execution: Execution) -> Outputs:
        self.observer.step_started(step.name)
        self._emit("start", step, execution.run, Subject(f"step:{step.name}"))
        try:
            outputs = step.action(execution)
        except IsocenterError as error:
            self._note_failure(step, execution, error)
            raise
        subject = step.subject(execution.results, outputs)
        self._audit(step, execution.run, subject, Outcome.SUCCESS)
        self._emit("complete", step, execution.run, subject)
        self.records.cache.put(execution.key, step.name, outputs, execution.run)
        step.settle(execution, outputs)
        return outputs

    def _note_failure(self, step: Step, execution: Execution, error: IsocenterError) -> None:
        """The message stays out of the records: it may name the user's own files."""
        subject = Subject(f"step:{step.name}", {"error": error.code, **step.failure_details(error)})
        self._audit(step, execution.run, subject, Outcome.FAILURE)
        self._emit("fail", step, execution.run, subject)

    def _audit(self, step: Step, run: RunId, subject: Subject, outcome: Outcome) -> None:
        details = {"run": run, **subject.details}
        action = f"{self.pipeline}.{step.name}"
        self.records.trail.append(AuditEvent(current_actor(), action, subject.object, outcome, details))

    def _emit(self, kind: str, step: Step, run: RunId, subject: Subject) -> None:
        emit = getattr(self.records.lineage, kind)
        emit(run, f"{self.pipeline}.{step.name}", subject.reads, subject.writes, subject.facets)
