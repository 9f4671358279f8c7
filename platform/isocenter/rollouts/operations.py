"""What is asked of endpoints: deploy, shift, roll back, delete. Each is planned, allowed, recorded, done."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import takewhile

from isocenter.domain.model import Alias, ModelVersion
from isocenter.domain.rollout import Rollout, Variant, check_endpoint_name
from isocenter.domain.run import RunId
from isocenter.domain.submission import Submission
from isocenter.errors import InputError, PolicyError
from isocenter.home import Home
from isocenter.registry.models import ModelRegistry
from isocenter.rollouts import planning
from isocenter.rollouts.approval import check_rollout
from isocenter.rollouts.bounds import bounds_of, check_bounds
from isocenter.rollouts.driver import Driver
from isocenter.rollouts.placing import place_of
from isocenter.rollouts.planning import Wish
from isocenter.rollouts.records import EndpointRecord, Kind, RolloutRecords, RolloutState, Step
from isocenter.servers.base import Capability

_LONGEST_REASON = 1_500


@dataclass(frozen=True)
class Planned:
    """A step that has been planned and not begun.

    Args:
        step: what would be recorded.
        submission: what would be sent.
        alias: the clinical alias that the endpoint stands for; None for research.
        after: the newest step when this one was planned.
    """

    step: Step
    submission: Submission
    alias: Alias | None
    after: RunId | None


@dataclass(frozen=True)
class Operations:
    """The verbs of endpoints on one target.

    Args:
        home: the store.
        registry: knows versions, approvals and cards.
        records: the history.
        driver: brings steps into force.
    """

    home: Home
    registry: ModelRegistry
    records: RolloutRecords
    driver: Driver

    def plan_deploy(self, name: str, version: ModelVersion, wish: Wish) -> Planned:
        """What :meth:`run` would do to put ``version`` behind the endpoint ``name``.

        Raises:
            InputError: it can't be done; the message says why.
            PolicyError: it isn't allowed. That is audited.
        """
        check_endpoint_name(name)
        record = self.records.endpoint(name)
        self._refuse_elsewhere(name, record, wish)
        now = self._now(name)
        variant = self._variant(version)
        if now is None:
            target, labels = self.driver.target, {"model": version.name}
            bounds = bounds_of(target, name)
            kind, rollout = Kind.DEPLOY, planning.first(name, target.name, variant, wish, labels, bounds)
        else:
            kind, rollout = planning.with_new(now, variant, wish)
        check_bounds(rollout, self.driver.target)
        return self._planned(kind, rollout, wish, now, record.alias if record else wish.alias)

    def plan_shift(self, name: str, percent: int, wish: Wish) -> Planned:
        """What :meth:`run` would do to give the newer of two versions ``percent`` of the traffic."""
        record, now = self.records.require(name), self._now(name)
        if now is None:
            raise _nothing_serves(name)
        kind, rollout = planning.with_weight(now, percent)
        return self._planned(kind, rollout, wish, now, record.alias)

    def plan_rollback(self, name: str, wish: Wish) -> Planned:
        """What :meth:`run` would do to bring the last good version back.

        It is not asked again whether that version may answer: it did, and was asked then.
        """
        record, newest = self.records.require(name), self.records.newest(name)
        if newest is not None and newest.kind is Kind.ROLLBACK and newest.state.is_open:
            return self._as_it_is(newest, record)
        good = self._good(newest)
        if good is None:
            raise InputError(
                f"{name!r} has served nothing else that it could go back to.",
                hint=f"isocenter endpoint status {name} shows its history.",
            )
        step = replace(self._step(Kind.ROLLBACK, good.rollout, wish, good), back_to=good.back_to)
        _check_reason(wish.reason)
        return self._with_request(step, record.alias)

    def _good(self, newest: Step | None) -> Step | None:
        """The step that a rollback restores."""
        if newest is not None and newest.kind is Kind.ROLLBACK and newest.state is RolloutState.FAILED:
            return newest  # it did not come to where it was to go
        return None if newest is None or newest.back_to is None else self.records.get(newest.back_to)

    def plan_again(self, name: str, wish: Wish) -> Planned:
        """What :meth:`run` would do to have the endpoint serve what it was asked to last.

        It goes on with a step that was interrupted, and starts an endpoint again after a restart of its
        machine. After a step that failed, what was in force before is asked for again.
        """
        record, now = self.records.require(name), self._now(name)
        newest = self.records.newest(name)
        if newest is not None and (newest.state.is_open or newest == now):
            return self._as_it_is(newest, record)
        if now is None:
            raise _nothing_serves(name)
        step = replace(self._step(Kind.ROLLBACK, now.rollout, wish, now), back_to=now.back_to)
        return self._with_request(step, record.alias)

    def run(self, planned: Planned) -> Step:
        """Do it: go on with an equal step that was interrupted, or begin a new one.

        Returns:
            the step that is in force then.

        Raises:
            GateFailedError, JobFailedError: it failed, and the last good version serves again.
        """
        newest = self.records.newest(planned.step.rollout.endpoint)
        if newest is not None and _goes_on(newest, planned.step):
            return self.driver.drive(newest)
        self.records.begin(planned.step, planned.alias, planned.after)
        return self.driver.drive(planned.step)

    def delete(self, name: str, wish: Wish) -> None:
        """End the endpoint after its last requests. Its history stays."""
        self.records.require(name)
        newest = self.records.newest(name)
        if newest is None:
            raise _nothing_serves(name)
        step = newest
        if newest.kind is not Kind.DELETE or not newest.state.is_open:
            _check_reason(wish.reason)
            step = self._step(Kind.DELETE, newest.rollout, wish, None)
            self.records.begin(step, None, newest.rollout.id)
        self.driver.delete(step)

    def _now(self, name: str) -> Step | None:
        """The newest step that came into force since the endpoint was made."""
        newest = self.records.newest(name)
        if newest is None:
            return None
        if newest.kind is Kind.DELETE and newest.state.is_open:
            raise InputError(f"{name!r} is being deleted.", hint=f"isocenter endpoint delete {name}")
        since = takewhile(lambda step: not _is_end(step), self.records.history(name, 1_000))
        in_force = (RolloutState.SUCCEEDED, RolloutState.WATCHING)
        return next((step for step in since if step.state in in_force), None)

    def _variant(self, version: ModelVersion) -> Variant:
        self.registry.verify(version)
        place = place_of(self.home, self.driver.target, version)
        return Variant(version.reference, version.artifact_digest, place)

    def _planned(
        self, kind: Kind, rollout: Rollout, wish: Wish, now: Step | None, alias: Alias | None
    ) -> Planned:
        step = self._step(kind, rollout, wish, now)
        try:
            _check_reason(wish.reason)
            self._check_allowed(step, alias)
        except PolicyError as error:
            if not wish.trial:
                self.records.deny(step, error.message)
            raise
        self._check_gates(step)
        return self._with_request(step, alias)

    def _with_request(self, step: Step, alias: Alias | None) -> Planned:
        after = self._newest_id(step.rollout.endpoint)
        return Planned(step, self.driver.server.plan(step.rollout), alias, after)

    def _as_it_is(self, step: Step, record: EndpointRecord) -> Planned:
        return self._with_request(step, record.alias)

    def _newest_id(self, name: str) -> RunId | None:
        return next((step.rollout.id for step in self.records.history(name, 1)), None)

    def _step(self, kind: Kind, rollout: Rollout, wish: Wish, now: Step | None) -> Step:
        rollout = planning.later_than(rollout, self._newest_id(rollout.endpoint))
        return Step(
            rollout=rollout,
            kind=kind,
            state=RolloutState.APPLYING,
            gates=wish.gates,
            promotes=wish.promotes,
            back_to=None if now is None else planning.back_to(now),
            submission_digest=self.driver.server.plan(rollout).digest,
            actor=wish.actor,
            reason=wish.reason.strip()[:_LONGEST_REASON],
            created_at=datetime.now(UTC),
        )

    def _check_allowed(self, step: Step, alias: Alias | None) -> None:
        """Of a step that promotes by itself, what it would end in is asked about before it begins."""
        check_rollout(self.registry, step.rollout, alias)
        if step.promotes and planning.candidate_of(step) is not None:
            _, promoted = planning.with_weight(step, 100)
            check_rollout(self.registry, promoted, alias)

    def _check_gates(self, step: Step) -> None:
        server, gates = self.driver.server, step.gates
        asks = gates is not None and gates.score_shift is not None
        if asks and Capability.COMPARISON not in server.capabilities:
            raise InputError(
                f"The server {server.name!r} can't compare scores on the same requests.",
                hint="Leave --max-score-shift out.",
            )
        asks = gates is not None and gates.abstention_rate is not None
        if asks and Capability.ABSTENTION not in server.capabilities:
            raise InputError(
                f"The server {server.name!r} can't count the requests without a decision.",
                hint="Leave --max-abstention out.",
            )
        if step.promotes and planning.candidate_of(step) is None:
            raise InputError("Only a canary or a shadow can be promoted when its gates hold.")

    def _refuse_elsewhere(self, name: str, record: EndpointRecord | None, wish: Wish) -> None:
        if record is None:
            return
        if record.target != self.driver.target.name:
            raise InputError(f"The endpoint {name!r} is on {record.target}, not {self.driver.target.name}.")
        if wish.alias is not None and wish.alias != record.alias:
            raise InputError(
                f"The endpoint {name!r} stands for {record.alias or 'no alias'}, not {wish.alias}.",
                hint="An endpoint keeps what it stands for; make another one.",
            )


def _goes_on(newest: Step, asked: Step) -> bool:
    """Whether ``asked`` is what the newest step was asked for, and that one can go on or is in force."""
    if newest.rollout.id == asked.rollout.id:
        return True
    same = newest.kind is asked.kind and newest.rollout.serves_like(asked.rollout)
    return (
        same
        and newest.gates == asked.gates
        and newest.promotes == asked.promotes
        and (newest.state.is_open or newest.state is RolloutState.SUCCEEDED)
    )


def _is_end(step: Step) -> bool:
    return step.kind is Kind.DELETE and step.state is RolloutState.SUCCEEDED


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise PolicyError("A change of an endpoint needs a reason.", hint='Add --reason "why".')


def _nothing_serves(name: str) -> InputError:
    return InputError(f"{name!r} has served nothing yet.", hint=f"isocenter endpoint deploy {name} MODEL")
