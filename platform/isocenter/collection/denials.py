"""Denials of a serving program into the audit trail: each once, whatever is killed in between.

The program's file is set aside under a name of its own, and each record names that file and its line. What
the trail already holds of a file is found by that, so a collection that was killed goes on behind it.
"""

import fcntl
import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, select

from isocenter.audit.trail import AuditTrail
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.domain.run import new_run_id
from isocenter.storage import schema
from isocenter.storage.atomic import fsync_directory
from isocenter.storage.database import Database

ACTION = "endpoint.access"
_FILE, _TAKEN = "denials.jsonl", "taken-*.jsonl"
_MOST_SINGLY = 1000
"""Of one file; the others are told by their number. A flood of denials must not become a flood of records."""
_AT_ONCE = 100
"""Records in one transaction: others who write wait for it."""
_LONGEST_LINE = 4096
_WORD = re.compile(r"[A-Za-z0-9:.+-]{1,64}")
_LONGEST_ACTOR = 128


def audit_denials(database: Database, trail: AuditTrail, endpoint: str, folder: Path) -> int:
    """Take the denials in ``folder`` into the trail; how many there were.

    Args:
        database: holds the trail.
        trail: where they go.
        endpoint: whose they are.
        folder: of a serving program's denials.
    """
    _set_aside(folder)
    return sum(_audit_file(database, trail, endpoint, path) for path in sorted(folder.glob(_TAKEN)))


def _set_aside(folder: Path) -> None:
    """Give the file that is being written a name of its own; its writers begin another one."""
    path = folder / _FILE
    try:
        opened = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        # A writer holds this lock while it writes, and looks at the name again when it has got it.
        fcntl.flock(opened, fcntl.LOCK_EX)
        if os.fstat(opened).st_size:
            path.rename(folder / f"taken-{new_run_id()}.jsonl")
            fsync_directory(folder)
    finally:
        os.close(opened)


def _audit_file(database: Database, trail: AuditTrail, endpoint: str, path: Path) -> int:
    with path.open("rb") as stream:
        lines = enumerate(_lines(stream), 1)
        done = _lines_done(database, endpoint, path.stem)
        count = sum(1 for _ in islice(lines, done))
        while found := list(islice(lines, min(_AT_ONCE, max(_MOST_SINGLY - count, 0)))):
            with database.write() as connection:
                for number, line in found:
                    trail.append(_event(endpoint, path.stem, number, line), connection)
            count += len(found)
        rest = Counter(_reason(line) for _, line in lines)
        if rest and done <= _MOST_SINGLY:
            with database.write() as connection:
                trail.append(_summary(endpoint, path.stem, count, rest), connection)
    path.unlink()
    return count - done + rest.total()


def _lines(stream: Any) -> Iterator[bytes]:
    """Lines, each of bounded size; what is longer is cut."""
    while line := stream.readline(_LONGEST_LINE):
        yield line
        while not line.endswith(b"\n") and (line := stream.readline(_LONGEST_LINE)):
            pass


def _lines_done(database: Database, endpoint: str, file: str) -> int:
    """How many lines of ``file`` the trail holds."""
    with database.read() as connection:
        return max((int(each["line"]) for each in _records_of(connection, endpoint, file)), default=0)


def _records_of(connection: Connection, endpoint: str, file: str) -> Iterator[Mapping[str, Any]]:
    table = schema.audit_records.c
    query = select(table.details).where(
        table.action == ACTION,
        table.object == f"endpoint:{endpoint}",
        table.details.contains(f'"file":"{file}"', autoescape=True),
    )
    for details in connection.execute(query).scalars():
        yield json.loads(details)


def _event(endpoint: str, file: str, number: int, line: bytes) -> AuditEvent:
    told = _read(line)
    kept = {name: _word(told.get(name)) for name in ("at", "reason", "request")}
    status = told.get("status")
    details = {**kept, "status": status if isinstance(status, int) else None, "file": file, "line": number}
    return AuditEvent(_subject(told), ACTION, f"endpoint:{endpoint}", Outcome.DENIED, details)


def _summary(endpoint: str, file: str, before: int, rest: Counter[str]) -> AuditEvent:
    counts = dict(rest.most_common(50))
    details = {"others": rest.total(), "reasons": counts, "file": file, "line": before + rest.total()}
    return AuditEvent("anonymous", ACTION, f"endpoint:{endpoint}", Outcome.DENIED, details)


def _read(line: bytes) -> Mapping[str, Any]:
    """What a line says; nothing where it is damaged, which is a denial all the same."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _word(value: Any) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "unreadable"


def _reason(line: bytes) -> str:
    return _word(_read(line).get("reason"))


def _subject(told: Mapping[str, Any]) -> str:
    """Whom a good token named; nobody else is known."""
    subject = told.get("subject")
    named = isinstance(subject, str) and subject.isprintable() and subject
    return str(subject)[:_LONGEST_ACTOR] if named else "anonymous"
