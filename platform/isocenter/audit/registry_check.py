"""The registry's rows held against the trail.

Each row (version, card revision, alias move, approval) is written in the same transaction as a record of it.
So every row must have its record and every record its row, with the same facts, and each alias must point
where the last record left it.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from isocenter.audit.findings import Fault, Problem
from isocenter.audit.record import moment
from isocenter.domain.audit_event import Outcome
from isocenter.domain.digest import digest_json
from isocenter.storage import schema

# What the rows of each table are told apart by; within a group they come in the order of their records.
_GROUPS: Mapping[str, tuple[str, ...]] = {
    "model_versions": ("model", "number"),
    "card_revisions": ("model", "number", "revision"),
    "alias_moves": ("model",),
    "approvals": ("model",),
}
# Kept in a record as a digest, being too large for one.
_DIGESTED = ("metrics", "card")

_Values = Mapping[str, Any]


@dataclass(frozen=True)
class _Expected:
    """A row that a record speaks of; ``values`` are the columns that the record tells."""

    sequence: int
    values: _Values


@dataclass
class _Expectations:
    """All rows that the trail speaks of, by table, and where each alias points in the end."""

    rows: dict[str, list[_Expected]] = field(default_factory=lambda: defaultdict(list))
    pointers: dict[tuple[str, str], int] = field(default_factory=dict)

    def take(self, sequence: int, actor: str, action: str, about: str, details: _Values) -> None:
        """Read one record."""
        model, _, number = about.removeprefix("model:").rpartition(":")
        at = {"at": details["at"]} if "at" in details else {}
        row = {"model": model, "number": int(number)}
        match action:
            case "model.register":
                facts = {"artifact_digest": details["artifact"], "dataset_digest": details["dataset"]}
                facts |= {"run": details["run"], "created_by": actor} | _told(details, "metrics")
                created = {"created_at": at["at"]} if at else {}
                self._expect("model_versions", sequence, row | facts | created)
                card = {"revision": 1, "actor": actor} | _told(details, "card") | at
                self._expect("card_revisions", sequence, row | card)
            case "model.card":
                card = {"revision": details["revision"], "actor": actor} | _told(details, "card") | at
                self._expect("card_revisions", sequence, row | card)
            case "model.alias" | "model.promote":
                row |= {"alias": details["alias"], "actor": actor, "reason": details["reason"]} | at
                if action == "model.promote":
                    self._expect("approvals", sequence, row)
                self._move(sequence, row)

    def _move(self, sequence: int, row: dict[str, Any]) -> None:
        pointer = (row["model"], row["alias"])
        before = self.pointers.get(pointer)
        if before != row["number"]:  # approving what the alias points to already moves nothing
            self._expect("alias_moves", sequence, row | {"from_number": before})
            self.pointers[pointer] = row["number"]

    def _expect(self, table: str, sequence: int, values: _Values) -> None:
        self.rows[table].append(_Expected(sequence, values))


def registry_problems(connection: Connection) -> tuple[Problem, ...]:
    """The first row of each table that the trail does not speak of so, or whose record has no such row.

    Args:
        connection: a reading transaction; the records in it have been verified.
    """
    expected = _expectations(connection)
    found: list[Problem] = []
    for name in _GROUPS:
        found += islice(_compare(connection, schema.metadata.tables[name], expected.rows[name]), 1)
    found += islice(_pointer_problems(connection, expected.pointers), 1)
    return tuple(found)


def _expectations(connection: Connection) -> _Expectations:
    table = schema.audit_records.c
    actions = ("model.register", "model.card", "model.alias", "model.promote")
    query = select(schema.audit_records).where(
        table.action.in_(actions), table.outcome == Outcome.SUCCESS.value
    )
    expected = _Expectations()
    for record in connection.execute(query.order_by(table.sequence)):
        expected.take(record.sequence, record.actor, record.action, record.object, json.loads(record.details))
    return expected


def _told(details: _Values, name: str) -> dict[str, Any]:
    """The digest that a record holds; records of the first versions hold none."""
    return {name: details[name]} if name in details else {}


def _compare(connection: Connection, table: Table, expected: Sequence[_Expected]) -> Iterator[Problem]:
    names = _GROUPS[table.name]
    groups: dict[tuple[Any, ...], tuple[list[_Expected], list[_Values]]] = defaultdict(lambda: ([], []))
    for wanted in expected:
        groups[tuple(wanted.values[name] for name in names)][0].append(wanted)
    for row in connection.execute(select(table).order_by(*table.primary_key.columns)):
        groups[tuple(getattr(row, name) for name in names)][1].append(_values(row))
    for wanted_rows, rows in groups.values():
        yield from islice(_compare_group(table.name, wanted_rows, rows), 1)


def _values(row: Row[Any]) -> dict[str, Any]:
    """A row as records tell it: moments as text, large values as digests."""
    values: dict[str, Any] = {}
    for name, value in row._asdict().items():
        if name in _DIGESTED:
            values[name] = digest_json(value)
        else:
            values[name] = moment(value) if isinstance(value, datetime) else value
    return values


def _compare_group(table: str, expected: Sequence[_Expected], rows: Sequence[_Values]) -> Iterator[Problem]:
    """The first that doesn't fit; if one side has more, that one is what is missing or too much."""
    for position, wanted in enumerate(expected):
        row = rows[position] if position < len(rows) else {}
        differing = [name for name, value in wanted.values.items() if row.get(name) != value]
        if not differing:
            continue
        what = f"Record {wanted.sequence} tells of {_describe(table, wanted.values)}"
        if len(rows) < len(expected):
            yield Problem(Fault.REGISTRY, None, f"{what}; the row of {table} is gone.")
        elif len(rows) > len(expected):
            yield _unrecorded(table, row)
        else:
            text = f"{what}; the row of {table} says otherwise: {', '.join(sorted(differing))}."
            yield Problem(Fault.REGISTRY, None, text)
        return
    if len(rows) > len(expected):
        yield _unrecorded(table, rows[len(expected)])


def _unrecorded(table: str, row: _Values) -> Problem:
    return Problem(
        Fault.REGISTRY, None, f"A row of {table} is in no record of the trail: {_describe(table, row)}."
    )


def _describe(table: str, values: _Values) -> str:
    version = f"{values['model']}:{values['number']}"
    match table:
        case "card_revisions":
            return f"revision {values['revision']} of the card of {version}"
        case "alias_moves":
            return f"{version} becoming {values['alias']}"
        case "approvals":
            return f"the approval of {version} as {values['alias']}"
    return f"the registration of {version}"


def _pointer_problems(connection: Connection, pointers: Mapping[tuple[str, str], int]) -> Iterator[Problem]:
    table = schema.aliases
    rows = {
        (row.model, row.alias): row.number
        for row in connection.execute(select(table).order_by(*table.primary_key.columns))
    }
    for model, alias in sorted({*pointers, *rows}):
        wanted, found = pointers.get((model, alias)), rows.get((model, alias))
        if wanted != found:
            says = (
                f"{model} has no {alias}" if wanted is None else f"the {alias} of {model} is {model}:{wanted}"
            )
            is_ = "none is there" if found is None else f"the row of aliases says {model}:{found}"
            yield Problem(Fault.REGISTRY, None, f"By the trail, {says}; {is_}.")
