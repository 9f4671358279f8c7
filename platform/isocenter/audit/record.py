"""One record of the trail: an event, its number, and the hash of the record before it."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from isocenter.audit.details import check_details
from isocenter.domain.audit_event import AuditEvent
from isocenter.domain.digest import canonical_json
from isocenter.errors import InputError

FIRST_PREVIOUS_HASH = "0" * 64
_ACTION = re.compile(r"[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+")
_LONGEST_ACTOR = 128
_LONGEST_OBJECT = 512


@dataclass(frozen=True)
class AuditRecord:
    """A record as it is stored, exported and hashed.

    Args:
        sequence: 1, 2, 3 ... without gaps.
        at: when, RFC 3339 in UTC with microseconds.
        actor: see :class:`~isocenter.domain.audit_event.AuditEvent`, as the next four.
        action: dotted verb.
        object: what it was done to.
        outcome: success, failure or denied.
        details: canonical JSON text.
        previous_hash: ``hash`` of the record before, 64 zeros for the first.
        hash: SHA-256 of :meth:`canonical`, in hexadecimal.
    """

    sequence: int
    at: str
    actor: str
    action: str
    object: str
    outcome: str
    details: str
    previous_hash: str
    hash: str = ""

    def canonical(self) -> bytes:
        """Canonical JSON (RFC 8785) of everything but ``hash``; also the leaf of the Merkle tree.

        Raises:
            ValueError: ``details`` is not JSON.
        """
        return canonical_json({**self._head(), "details": json.loads(self.details)})

    def computed_hash(self) -> str:
        """What ``hash`` must be.

        Raises:
            ValueError: ``details`` is not JSON.
        """
        return hashlib.sha256(self.canonical()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """The record for people and programs: details as an object (text if tampered with), and ``hash``."""
        try:
            details = json.loads(self.details)
        except (ValueError, TypeError):
            details = self.details
        return {**self._head(), "details": details, "hash": self.hash}

    def _head(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "at": self.at,
            "actor": self.actor,
            "action": self.action,
            "object": self.object,
            "outcome": self.outcome,
            "previous_hash": self.previous_hash,
        }


def chain(event: AuditEvent, sequence: int, previous_hash: str) -> AuditRecord:
    """The record of ``event`` at ``sequence``.

    Raises:
        InputError: a field is empty, too long, not printable, or the details are no small plain JSON.
    """
    _check(event)
    record = AuditRecord(
        sequence,
        moment(event.at or utc_now()),
        event.actor,
        event.action,
        event.object,
        event.outcome.value,
        check_details(event.details).decode(),
        previous_hash,
    )
    return AuditRecord(**{**record.__dict__, "hash": record.computed_hash()})


def from_json(value: Mapping[str, Any]) -> AuditRecord:
    """The record in one line of an export.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    try:
        record = AuditRecord(**{**value, "details": canonical_json(value["details"]).decode()})
    except (KeyError, TypeError) as error:
        raise ValueError("not an audit record") from error
    texts = {name: item for name, item in record.__dict__.items() if name != "sequence"}
    if type(record.sequence) is not int or not all(isinstance(item, str) for item in texts.values()):
        raise ValueError("not an audit record")
    return record


def utc_now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def moment(at: datetime) -> str:
    """``at`` as RFC 3339 in UTC with microseconds: 27 characters."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _check(event: AuditEvent) -> None:
    if not _ACTION.fullmatch(event.action) or len(event.action) > _LONGEST_ACTOR:
        raise InputError("An audit record's action must be a dotted verb like 'model.promote'.")
    for name, value, longest in (
        ("actor", event.actor, _LONGEST_ACTOR),
        ("object", event.object, _LONGEST_OBJECT),
    ):
        if not 0 < len(value) <= longest or not value.isprintable():
            raise InputError(f"An audit record's {name} must be 1 to {longest} printable characters.")
