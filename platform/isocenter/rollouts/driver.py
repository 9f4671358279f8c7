"""Bringing one step into force, watching its gates, and going back by itself when it fails."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from filelock import FileLock

from isocenter.domain.rollout import Endpoint, EndpointState, Observation, Rollout, Variant
from isocenter.domain.run import RunId
from isocenter.errors import (
    GateFailedError,
    InputError,
    IntegrityError,
    IsocenterError,
    JobFailedError,
    PolicyError,
    TransientFaultError,
)
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.rollouts.approval import check_rollout
from isocenter.rollouts.gates import GateResult, Gates, gate_results, has_too_many_errors
from isocenter.rollouts.liveness import Liveness
from isocenter.rollouts.placing import bring
from isocenter.rollouts.planning import candidate_of, later_than, stable_of, with_weight
from isocenter.rollouts.records import Kind, RolloutRecords, RolloutState, Step
from isocenter.servers.base import Server
from isocenter.targets.target import Target

_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.05, 10.0
_MOST_TRIES = 8
"""In a row, of a service that is busy."""
_LONGEST_REASON = 1_500
_DOWN_S = 30.0
_Result = TypeVar("_Result")
Watcher = Callable[[Step, Endpoint | None, tuple[GateResult, ...]], None]


def silent(_: Step, __: Endpoint | None, ___: tuple[GateResult, ...]) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Driver:
    """Drives the steps of endpoints on one target.

    Args:
        home: the store.
        target: where.
        server: reaches the service.
        records: the history.
        registry: knows approvals and cards, which a promotion is held against.
        watcher: is told how things stand, each time they are looked at.
        down_s: a new version whose processes have been down for so long fails its gates.
    """

    home: Home
    target: Target
    server: Server
    records: RolloutRecords
    registry: ModelRegistry
    watcher: Watcher = silent
    down_s: float = _DOWN_S

    def drive(self, step: Step) -> Step:
        """Go on with ``step`` from wherever it is, to its end.

        Returns:
            the step that is in force then: this one, or the promotion that followed it.

        Raises:
            GateFailedError: a gate failed; the last good version serves again.
            JobFailedError: it could not be brought into force; the last good version serves again.
            PolicyError, IntegrityError: its gates held and it may not be promoted; it stays as it is.
            InputError: a later step took its place.
        """
        try:
            self._reach(step)
            if step.gates is not None and step.state.is_open:
                self._keep(step, RolloutState.WATCHING)
                self._watch(step, step.gates)
        except (JobFailedError, GateFailedError) as error:
            self._go_back(step, error)
            raise
        if step.state.is_open:
            return self._succeed(step)
        return step

    def delete(self, step: Step) -> None:
        """End the endpoint of ``step`` and wait until it is gone."""
        wait = _FIRST_WAIT_S
        name = step.rollout.endpoint
        with self._alone(step):
            _patiently(lambda: self.server.delete(name))
        while (found := _patiently(lambda: self.server.describe(name))) is not None:
            self.watcher(step, found, ())
            wait = _sleep(wait)
        self._keep(step, RolloutState.SUCCEEDED, "The endpoint is gone.")

    def _reach(self, step: Step) -> None:
        """Apply ``step`` until it is in force."""
        submission = self.server.plan(step.rollout)
        for variant in step.rollout.variants:
            _patiently(partial(bring, self.home, self.target, variant.digest, self.records.trail))
        wait = _FIRST_WAIT_S
        while True:
            with self._alone(step):
                endpoint = _patiently(lambda: self.server.apply(submission))
            self.watcher(step, endpoint, ())
            if endpoint.state is EndpointState.READY:
                return
            if endpoint.state is EndpointState.FAILED:
                raise JobFailedError(
                    f"{step.kind.capitalize()} of {step.rollout.endpoint} failed: {endpoint.reason}",
                    hint=f"isocenter endpoint logs {step.rollout.endpoint}",
                )
            wait = _sleep(wait)

    def _watch(self, step: Step, gates: Gates) -> None:
        """Look at the new version until its gates have held long enough.

        Raises:
            GateFailedError: one doesn't hold; the message names it, what was seen and what is allowed. Or
                the version's processes are down.
        """
        began, wait = time.monotonic(), _FIRST_WAIT_S
        name, reference = step.rollout.endpoint, _watched(step).reference
        liveness = Liveness(lambda: _patiently(lambda: self.server.describe(name)), reference, self.down_s)
        while True:
            seen = self._observe(step)
            results = gate_results(gates, seen)
            waited = time.monotonic() - began
            self.watcher(step, None, results)
            enough, *asked = results
            broken = [result for result in asked if not result.holds]
            # A comparison comes a little after its request, so it is not missed at once.
            if enough.holds and (broken if waited >= gates.watch_s else _broken_by_value(broken)):
                raise _gate_failed(step, broken)
            if has_too_many_errors(gates, seen):
                raise _gate_failed(step, [r for r in broken if r.name == "error-rate"])
            if (problem := liveness.problem()) is not None:
                raise _did_not_pass(step, problem)
            if enough.holds and waited >= gates.watch_s:
                return
            if waited > max(gates.wait_s, gates.watch_s):
                raise _gate_failed(step, [enough, *_broken_by_value(broken)])
            self._refuse_superseded(step)
            wait = _sleep(wait, most=1.0)

    def _observe(self, step: Step) -> Observation:
        name = step.rollout.endpoint
        observed = _patiently(lambda: self.server.observe(name))
        return observed.get(_watched(step).reference, Observation())

    def _succeed(self, step: Step) -> Step:
        told = "In force." if step.gates is None else "In force; its gates held."
        if not step.promotes or candidate_of(step) is None:
            self._keep(step, RolloutState.SUCCEEDED, told)
            return step
        kind, rollout = with_weight(step, 100)
        because = f"The gates of {step.rollout.id} held. {step.reason}"[:_LONGEST_REASON]
        promotion = self._following(step, kind, rollout, step.back_to, because)
        self._check_promotion(step, promotion)
        self._keep(step, RolloutState.SUCCEEDED, told, promotion)
        return self.drive(promotion)

    def _check_promotion(self, step: Step, promotion: Step) -> None:
        """Leave the split as it is unless the new version may answer alone.

        It was asked when ``step`` was planned; approvals and cards may have changed since, or an older plan
        may never have been asked. What ``step`` brought into force was allowed by itself and its gates held,
        so nothing is taken back.
        """
        record = self.records.endpoint(step.rollout.endpoint)
        try:
            check_rollout(self.registry, promotion.rollout, record.alias if record else None)
        except (PolicyError, IntegrityError) as error:
            self.records.deny(promotion, error.message)
            told = f"In force; its gates held. Not promoted: {error.message}"
            self._keep(step, RolloutState.SUCCEEDED, told)
            raise

    def _go_back(self, step: Step, error: IsocenterError) -> None:
        """Write down the failure and restore the last good version."""
        if not step.state.is_open:  # it was in force before: nothing is known to be better
            return
        if step.back_to is None or step.kind is Kind.ROLLBACK:
            self._keep(step, RolloutState.FAILED, error.message)
            return
        good = self.records.get(step.back_to)
        because = f"By itself: {error.message}"[:_LONGEST_REASON]
        back = self._following(step, Kind.ROLLBACK, good.rollout, good.back_to, because)
        self._keep(step, RolloutState.FAILED, error.message, back)
        self.drive(back)

    def _following(self, step: Step, kind: Kind, rollout: Rollout, back: RunId | None, reason: str) -> Step:
        rollout = later_than(rollout, step.rollout.id)
        return Step(
            rollout=rollout,
            kind=kind,
            state=RolloutState.APPLYING,
            gates=None,
            promotes=False,
            back_to=back,
            submission_digest=self.server.plan(rollout).digest,
            actor=step.actor,
            reason=reason,
            created_at=datetime.now(UTC),
        )

    def _keep(
        self, step: Step, state: RolloutState, outcome: str | None = None, then: Step | None = None
    ) -> None:
        if not self.records.move(step, state, outcome, then):
            raise _superseded(step)

    @contextmanager
    def _alone(self, step: Step) -> Iterator[None]:
        """Hold the endpoint for one call, and only while ``step`` is its newest."""
        self.home.locks.mkdir(mode=0o700, exist_ok=True)
        with FileLock(self.home.locks / f"endpoint-{step.rollout.endpoint}.lock"):
            self._refuse_superseded(step)
            yield

    def _refuse_superseded(self, step: Step) -> None:
        newest = self.records.newest(step.rollout.endpoint)
        if newest is None or newest.rollout.id != step.rollout.id:
            raise _superseded(step)


def _patiently(call: Callable[[], _Result]) -> _Result:
    """The result of ``call``, asked again while the service is busy."""
    for number in range(_MOST_TRIES - 1):
        try:
            return call()
        except TransientFaultError as error:
            time.sleep(error.retry_after_s or min(2.0**number, _LONGEST_WAIT_S))
    return call()


def _broken_by_value(broken: list[GateResult]) -> list[GateResult]:
    return [result for result in broken if result.value is not None]


def _watched(step: Step) -> Variant:
    return candidate_of(step) or stable_of(step)


def _gate_failed(step: Step, broken: list[GateResult]) -> GateFailedError:
    return _did_not_pass(step, "; ".join(result.text for result in broken) + ".")


def _did_not_pass(step: Step, because: str) -> GateFailedError:
    return GateFailedError(
        f"{_watched(step).reference} behind {step.rollout.endpoint} did not pass: {because}",
        hint=f"isocenter endpoint status {step.rollout.endpoint}",
    )


def _superseded(step: Step) -> InputError:
    return InputError(
        f"The {step.kind} {step.rollout.id} of {step.rollout.endpoint} was replaced by a later step.",
        hint=f"isocenter endpoint status {step.rollout.endpoint} says by whom and why.",
    )


def _sleep(seconds: float, most: float = _LONGEST_WAIT_S) -> float:
    """Wait; how long to wait the next time."""
    time.sleep(seconds)
    return min(seconds * 1.5, most)
