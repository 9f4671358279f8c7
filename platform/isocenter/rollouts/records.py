"""The history of endpoints: each rollout, who asked for it, why, and how it ended. Audited as it changes."""

import enum
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from isocenter.audit.endpoint_check import asked_digest
from isocenter.audit.trail import AuditTrail
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.domain.model import Alias
from isocenter.domain.rollout import Rollout, rollout_from_json
from isocenter.domain.run import RunId
from isocenter.errors import InputError, NotFoundError
from isocenter.rollouts.gates import Gates, gates_from_json
from isocenter.storage import schema
from isocenter.storage.database import Database

_ROLLOUTS = schema.rollouts.c
_LONGEST_OUTCOME = 2_000


class Kind(enum.StrEnum):
    """What a rollout is to the endpoint."""

    DEPLOY = "deploy"
    CANARY = "canary"
    SHADOW = "shadow"
    PROMOTE = "promote"
    ROLLBACK = "rollback"
    DELETE = "delete"


class RolloutState(enum.StrEnum):
    """How far it is."""

    APPLYING = "applying"
    WATCHING = "watching"
    """In force; its gates are being watched."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    """A later one took its place before it had ended."""

    @property
    def is_open(self) -> bool:
        """Whether it may go on."""
        return self in (RolloutState.APPLYING, RolloutState.WATCHING)


@dataclass(frozen=True)
class Step:
    """One rollout in the history of an endpoint.

    Args:
        rollout: what was asked for.
        kind: what it is to the endpoint.
        state: how far it is.
        gates: what is watched once it is in force; None for nothing.
        promotes: whether the new version gets all of the traffic when the gates hold.
        back_to: the rollout that a rollback from here restores; None where there is none.
        submission_digest: of the request.
        actor: who asked for it.
        reason: why.
        outcome: how it ended, in a sentence; None while it goes on.
        created_at: when it was asked for (UTC).
        ended_at: when it ended (UTC); None while it goes on.
    """

    rollout: Rollout
    kind: Kind
    state: RolloutState
    gates: Gates | None
    promotes: bool
    back_to: RunId | None
    submission_digest: str
    actor: str
    reason: str
    created_at: datetime
    outcome: str | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class EndpointRecord:
    """An endpoint that was deployed and not deleted.

    Args:
        name: its name.
        target: where it is.
        alias: the clinical alias that it stands for; None for research.
        created_at: when (UTC).
    """

    name: str
    target: str
    alias: Alias | None
    created_at: datetime


class RolloutRecords:
    """Reads and writes the history.

    Args:
        database: holds it.
        trail: where each change is recorded, in the same transaction.
    """

    def __init__(self, database: Database, trail: AuditTrail) -> None:
        self._database = database
        self.trail = trail

    def endpoints(self) -> tuple[EndpointRecord, ...]:
        """All endpoints, by name."""
        with self._database.read() as connection:
            query = select(schema.endpoints).order_by(schema.endpoints.c.name)
            return tuple(_endpoint(row) for row in connection.execute(query))

    def endpoint(self, name: str) -> EndpointRecord | None:
        """The endpoint called ``name``; None if there is none."""
        return next((found for found in self.endpoints() if found.name == name), None)

    def require(self, name: str) -> EndpointRecord:
        """The endpoint called ``name``.

        Raises:
            NotFoundError: there is none.
        """
        found = self.endpoint(name)
        if found is None:
            names = ", ".join(each.name for each in self.endpoints())
            hint = f"There are: {names}." if names else "isocenter endpoint deploy NAME MODEL makes one."
            raise NotFoundError(f"There is no endpoint {name!r}.", hint=hint)
        return found

    def history(self, name: str, limit: int = 50) -> tuple[Step, ...]:
        """The steps of an endpoint, also of one that is no more, the newest first."""
        query = select(schema.rollouts).where(_ROLLOUTS.endpoint == name)
        with self._database.read() as connection:
            rows = connection.execute(query.order_by(_ROLLOUTS.id.desc()).limit(limit)).all()
        return tuple(_step(row) for row in rows)

    def get(self, rollout: RunId) -> Step:
        """The step with this id."""
        with self._database.read() as connection:
            query = select(schema.rollouts).where(_ROLLOUTS.id == rollout)
            return _step(connection.execute(query).one())

    def newest(self, name: str) -> Step | None:
        """The newest step of the endpoint that is there; None if there is no such endpoint."""
        return next(iter(self.history(name, 1)), None) if self.endpoint(name) else None

    def begin(self, step: Step, alias: Alias | None, after: RunId | None) -> None:
        """Keep a new step, which takes the place of one that has not ended.

        Args:
            step: what begins.
            alias: what a new endpoint stands for.
            after: the newest step when this one was planned.

        Raises:
            InputError: somebody else began a step since.
        """
        name = step.rollout.endpoint
        with self._locked(name, step, alias) as (connection, stands_for):
            query = select(_ROLLOUTS.id).where(_ROLLOUTS.endpoint == name).order_by(_ROLLOUTS.id.desc())
            if connection.execute(query.limit(1)).scalar() != after:
                raise InputError(
                    f"The endpoint {name!r} was changed while this was planned.",
                    hint=f"Look at it (isocenter endpoint status {name}) and ask again.",
                )
            self._supersede(connection, step)
            connection.execute(insert(schema.rollouts).values(_row(step)))
            self._audit(connection, step, Outcome.SUCCESS, stands_for=stands_for)

    def move(
        self, step: Step, state: RolloutState, outcome: str | None = None, then: Step | None = None
    ) -> bool:
        """Write down that ``step`` is now in ``state``; False if it was superseded meanwhile.

        Args:
            step: as it was begun.
            state: where it is.
            outcome: in a sentence, without patient data.
            then: a step that begins with the end of this one.
        """
        ended_at = None if state.is_open else datetime.now(UTC)
        outcome = outcome and outcome[:_LONGEST_OUTCOME]
        told = {"state": state.value, "outcome": outcome, "ended_at": ended_at}
        open_states = (RolloutState.APPLYING.value, RolloutState.WATCHING.value)
        key = (_ROLLOUTS.id == step.rollout.id) & _ROLLOUTS.state.in_(open_states)
        with self._database.write() as connection:
            if not connection.execute(update(schema.rollouts).where(key).values(told)).rowcount:
                return False
            moved = replace(step, state=state, outcome=outcome)
            if state is RolloutState.SUCCEEDED and step.kind is Kind.DELETE:
                table = schema.endpoints
                connection.execute(delete(table).where(table.c.name == step.rollout.endpoint))
            failed = state is RolloutState.FAILED
            if then is not None:
                connection.execute(insert(schema.rollouts).values(_row(then)))
            self._audit(connection, moved, Outcome.FAILURE if failed else Outcome.SUCCESS)
            if then is not None:
                self._audit(connection, then, Outcome.SUCCESS)
        return True

    def deny(self, step: Step, because: str) -> None:
        """Audit that ``step`` was refused by a rule; nothing else is kept of it."""
        details = {**_details(step), "because": because[:500]}
        action = f"endpoint.{step.kind}"
        about = f"endpoint:{step.rollout.endpoint}"
        self.trail.append(AuditEvent(step.actor, action, about, Outcome.DENIED, details))

    @contextmanager
    def _locked(
        self, name: str, step: Step, alias: Alias | None
    ) -> Iterator[tuple[Connection, dict[str, Any]]]:
        """A transaction that holds the endpoint's row, made if absent, and what that stands for.

        So steps begin one after the other.
        """
        row = {
            "name": name,
            "target": step.rollout.target,
            "alias": alias and alias.value,
            "created_at": step.created_at,
        }
        with self._database.write() as connection:
            connection.execute(self._database.upsert(schema.endpoints).values(row).on_conflict_do_nothing())
            query = select(schema.endpoints.c.alias).where(schema.endpoints.c.name == name)
            found = connection.execute(query.with_for_update()).one()
            yield connection, {"alias": found.alias}

    def _supersede(self, connection: Connection, by: Step) -> None:
        states = [state.value for state in RolloutState if state.is_open]
        query = select(schema.rollouts).where(
            _ROLLOUTS.endpoint == by.rollout.endpoint, _ROLLOUTS.state.in_(states)
        )
        for row in connection.execute(query).all():
            outcome = f"{by.actor} began {by.kind} {by.rollout.id} before it had ended."
            told = {"state": RolloutState.SUPERSEDED.value, "outcome": outcome, "ended_at": by.created_at}
            connection.execute(update(schema.rollouts).where(_ROLLOUTS.id == row.id).values(told))
            moved = replace(_step(row), state=RolloutState.SUPERSEDED, outcome=outcome)
            self._audit(connection, moved, Outcome.SUCCESS, actor=by.actor)

    def _audit(
        self,
        connection: Connection,
        step: Step,
        outcome: Outcome,
        *,
        actor: str | None = None,
        stands_for: Mapping[str, Any] | None = None,
    ) -> None:
        about = f"endpoint:{step.rollout.endpoint}"
        details = _details(step) | dict(stands_for or {})
        event = AuditEvent(actor or step.actor, f"endpoint.{step.kind}", about, outcome, details)
        self.trail.append(event, connection)


def _details(step: Step) -> dict[str, Any]:
    variants = [
        {"version": v.reference, "artifact": v.digest, "weight": v.weight, "shadow": v.shadow}
        for v in step.rollout.variants
    ]
    row = _row(step)
    told = {"rollout": step.rollout.id, "state": step.state.value, "target": step.rollout.target}
    return told | {
        "variants": variants,
        "submission": step.submission_digest,
        "asked": asked_digest(row["request"], row["gates"], row["promotes"]),
        "back_to": step.back_to,
        "reason": step.reason,
        "outcome": step.outcome,
    }


def _row(step: Step) -> Mapping[str, Any]:
    return {
        "id": step.rollout.id,
        "endpoint": step.rollout.endpoint,
        "target": step.rollout.target,
        "kind": step.kind.value,
        "state": step.state.value,
        "request": step.rollout.as_json(),
        "gates": step.gates and step.gates.as_json(),
        "promotes": step.promotes,
        "back_to": step.back_to,
        "submission_digest": step.submission_digest,
        "actor": step.actor,
        "reason": step.reason,
        "created_at": step.created_at,
    }


def _step(row: Row[Any]) -> Step:
    return Step(
        rollout=rollout_from_json(row.request),
        kind=Kind(row.kind),
        state=RolloutState(row.state),
        gates=None if row.gates is None else gates_from_json(row.gates),
        promotes=row.promotes,
        back_to=None if row.back_to is None else RunId(row.back_to),
        submission_digest=row.submission_digest,
        actor=row.actor,
        reason=row.reason,
        created_at=row.created_at,
        outcome=row.outcome,
        ended_at=row.ended_at,
    )


def _endpoint(row: Row[Any]) -> EndpointRecord:
    return EndpointRecord(row.name, row.target, row.alias and Alias(row.alias), row.created_at)
