"""What a record may hold, and how it is hashed."""

import hashlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.audit.record import FIRST_PREVIOUS_HASH, AuditRecord, chain, from_json
from isocenter.domain.audit_event import AuditEvent, Outcome
from isocenter.errors import InputError


def event(**changes: Any) -> AuditEvent:
    fields: dict[str, Any] = {"actor": "alice", "action": "model.promote", "object": "model:cxr:3", **changes}
    return AuditEvent(**fields)


def test_the_hash_is_sha256_of_sorted_compact_json() -> None:
    at = datetime(2026, 11, 20, 14, 30, tzinfo=timezone(timedelta(hours=2)))
    record = chain(event(at=at, details={"b": [1, True], "a": "Ü"}), 1, FIRST_PREVIOUS_HASH)
    assert record.at == "2026-11-20T12:30:00.000000Z"
    expected = json.dumps(
        {
            "action": "model.promote",
            "actor": "alice",
            "at": "2026-11-20T12:30:00.000000Z",
            "details": {"a": "Ü", "b": [1, True]},
            "object": "model:cxr:3",
            "outcome": "success",
            "previous_hash": "0" * 64,
            "sequence": 1,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )
    assert record.hash == hashlib.sha256(expected.encode()).hexdigest()


@pytest.mark.parametrize(
    ("details", "says"),
    [
        ({"blob": "x" * 2001}, r"details\.blob has 2001 characters"),
        ({"a": {"b": ["ok", b"bytes"]}}, r"details\.a\.b\[1\] is a bytes"),
        ({"a": float("nan")}, "not a finite number"),
        ({"a": 2**60}, "too large a number"),
        ({"a": "\ud800"}, "no valid Unicode"),
        ({1: "x"}, "a key that is no short text"),
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "is a datetime"),
        ({str(i): "y" * 1000 for i in range(20)}, "over 16384"),
        ({"a": {"a": {"a": {"a": {"a": {"a": {"a": 1}}}}}}}, "nested over 6 levels"),
    ],
)
def test_what_a_record_can_not_hold_is_refused_without_quoting_it(details: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        chain(event(details=details), 1, FIRST_PREVIOUS_HASH)
    assert "xxx" not in caught.value.message


@pytest.mark.parametrize(
    "changes",
    [
        {"actor": ""},
        {"actor": "a\nb"},
        {"actor": "a" * 129},
        {"action": "promote"},
        {"action": "Model.Promote"},
        {"object": ""},
        {"object": "x" * 513},
        {"object": "model\x00"},
    ],
)
def test_fields_must_be_short_and_printable(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        chain(event(**changes), 1, FIRST_PREVIOUS_HASH)


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=20),
    )
)
def test_a_record_survives_its_export(details: dict[str, Any]) -> None:
    record = chain(event(outcome=Outcome.DENIED, details=details), 7, "a" * 64)
    assert from_json(json.loads(json.dumps(record.as_json()))) == record
    assert record.computed_hash() == record.hash


@pytest.mark.parametrize("value", [{}, {"sequence": 1}, {"details": {}, "unknown": 1}])
def test_what_is_no_record_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="not an audit record"):
        from_json(value)


def test_tampered_details_can_still_be_shown() -> None:
    record = AuditRecord(1, "", "a", "b.c", "d", "success", "{no json", "", "")
    assert record.as_json()["details"] == "{no json"
