"""The rows of endpoints and their history held against the trail, as the registry's are.

A step is recorded when it begins and each time it moves on, in the same transaction as its row. So each row
must be as the last record of its step left it, and there is an endpoint where the newest step doesn't say
that it is gone.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Connection, select

from isocenter.audit.findings import Fault, Problem
from isocenter.domain.audit_event import Outcome
from isocenter.domain.digest import digest_json
from isocenter.storage import schema

_STEPS = tuple(f"endpoint.{kind}" for kind in ("deploy", "canary", "shadow", "promote", "rollback", "delete"))
_ASKED = ("request", "gates", "promotes")
_TOLD = ("state", "target", "back_to", "reason", "outcome", "asked")


def asked_digest(request: Any, gates: Any, promotes: bool) -> str:
    """How a record holds what a step asked for, which is too large for one."""
    return digest_json(dict(zip(_ASKED, (request, gates, promotes), strict=True)))


@dataclass
class _Expectations:
    """What the trail says: rows of steps by id, and the alias of each endpoint that is there by name."""

    steps: dict[str, dict[str, Any]] = field(default_factory=dict)
    records: dict[str, int] = field(default_factory=dict)
    endpoints: dict[str, dict[str, Any]] = field(default_factory=dict)

    def take(self, sequence: int, actor: str, action: str, about: str, details: Mapping[str, Any]) -> None:
        """Read one record."""
        name, kind = about.removeprefix("endpoint:"), action.removeprefix("endpoint.")
        told = {key: details[key] for key in _TOLD if key in details}
        # A step that is replaced is recorded by who replaced it; who asked for it was told at its beginning.
        step = self.steps.setdefault(details["rollout"], {"actor": actor})
        step |= told | {"endpoint": name, "kind": kind, "submission_digest": details["submission"]}
        self.records[details["rollout"]] = sequence
        endpoint = self.endpoints.setdefault(name, {"target": details["target"]})
        endpoint |= {"alias": details["alias"]} if "alias" in details else {}
        if kind == "delete" and details["state"] == "succeeded":
            del self.endpoints[name]


def endpoint_problems(connection: Connection) -> tuple[Problem, ...]:
    """The first row of each table that the trail does not speak of so, or whose record has no such row.

    Args:
        connection: a reading transaction; the records in it have been verified.
    """
    expected = _expectations(connection)
    found = [islice(_step_problems(connection, expected), 1), islice(_name_problems(connection, expected), 1)]
    return tuple(problem for each in found for problem in each)


def _expectations(connection: Connection) -> _Expectations:
    table = schema.audit_records.c
    query = select(schema.audit_records).where(
        table.action.in_(_STEPS), table.outcome != Outcome.DENIED.value
    )
    expected = _Expectations()
    for record in connection.execute(query.order_by(table.sequence)):
        expected.take(record.sequence, record.actor, record.action, record.object, json.loads(record.details))
    return expected


def _step_problems(connection: Connection, expected: _Expectations) -> Iterator[Problem]:
    rows: dict[str, dict[str, Any]] = {}
    for row in connection.execute(select(schema.rollouts).order_by(schema.rollouts.c.id)):
        asked = asked_digest(row.request, row.gates, row.promotes)
        rows[row.id] = {**row._asdict(), "asked": asked}
    for id_, wanted in expected.steps.items():
        what = f"Record {expected.records[id_]} tells of the {wanted['kind']} {id_} of {wanted['endpoint']}"
        if id_ not in rows:
            yield _problem(f"{what}; the row of rollouts is gone.")
            continue
        differing = sorted(name for name, value in wanted.items() if rows[id_][name] != value)
        if differing:
            yield _problem(f"{what}; the row of rollouts says otherwise: {', '.join(differing)}.")
    for id_ in sorted(rows.keys() - expected.steps.keys()):
        yield _problem(f"A row of rollouts is in no record of the trail: {id_}.")


def _name_problems(connection: Connection, expected: _Expectations) -> Iterator[Problem]:
    rows = {row.name: row for row in connection.execute(select(schema.endpoints))}
    for name in sorted({*rows, *expected.endpoints}):
        row, wanted = rows.get(name), expected.endpoints.get(name)
        if wanted is None:
            yield _problem(f"By the trail, there is no endpoint {name}; a row of endpoints says there is.")
        elif row is None:
            yield _problem(f"By the trail, there is an endpoint {name}; the row of endpoints is gone.")
        else:
            differing = sorted(key for key, value in wanted.items() if getattr(row, key) != value)
            if differing:
                yield _problem(f"The row of endpoints of {name} is not as recorded: {', '.join(differing)}.")


def _problem(message: str) -> Problem:
    return Problem(Fault.REGISTRY, None, message)
