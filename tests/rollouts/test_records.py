"""The history of endpoints, on each database."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import Connection, text

from isocenter.audit import AuditTrail
from isocenter.domain.model import Alias
from isocenter.domain.rollout import InstanceSize, Rollout, Variant
from isocenter.domain.run import RunId
from isocenter.errors import InputError, NotFoundError
from isocenter.home import Home
from isocenter.rollouts.gates import Gates
from isocenter.rollouts.planning import later_than
from isocenter.rollouts.records import Kind, RolloutRecords, RolloutState, Step
from isocenter.storage.database import open_database

OLD = Variant("cxr:1", "sha256:" + "1" * 64, "/bundles/1", weight=90)
NEW = Variant("cxr:2", "sha256:" + "2" * 64, "/bundles/2", weight=10)


def step(number: int, kind: Kind = Kind.CANARY) -> Step:
    rollout = Rollout(RunId(f"{number:026d}"), "chest", "local", (OLD, NEW), size=InstanceSize(1, 2, "l4"))
    return Step(
        rollout=rollout,
        kind=kind,
        state=RolloutState.APPLYING,
        gates=Gates(p99_s=0.5),
        promotes=True,
        back_to=RunId("0" * 26),
        submission_digest="sha256:" + "3" * 64,
        actor="alice",
        reason="because",
        created_at=datetime.now(UTC),
    )


@pytest.fixture
def trail(records_home: Home) -> AuditTrail:
    return AuditTrail(records_home, open_database(records_home))


@pytest.fixture
def records(records_home: Home, trail: AuditTrail) -> RolloutRecords:
    return RolloutRecords(open_database(records_home), trail)


def test_a_step_comes_back_as_it_was_kept(records: RolloutRecords) -> None:
    first = step(1)
    records.begin(first, Alias.CHAMPION, None)
    assert records.newest("chest") == records.get(first.rollout.id) == first
    assert records.require("chest").alias is Alias.CHAMPION
    with pytest.raises(NotFoundError):
        records.require("other")


def test_a_later_step_ends_one_that_is_open_and_says_who(records: RolloutRecords, trail: AuditTrail) -> None:
    first, second = step(1), replace(step(2, Kind.ROLLBACK), actor="bob")
    records.begin(first, None, None)
    records.begin(second, None, first.rollout.id)
    superseded = records.get(first.rollout.id)
    assert superseded.state is RolloutState.SUPERSEDED
    assert (superseded.outcome or "").startswith("bob began rollback")
    assert not records.move(first, RolloutState.SUCCEEDED), "it is open no more"
    assert records.move(second, RolloutState.SUCCEEDED, "In force.")
    assert [record.actor for record in trail.list()] == ["bob", "bob", "bob", "alice"]
    assert trail.verify().ok


def test_a_step_that_was_planned_on_something_older_is_refused(records: RolloutRecords) -> None:
    records.begin(step(1), None, None)
    with pytest.raises(InputError, match="was changed while this was planned"):
        records.begin(step(2), None, None)


def test_failure_and_the_rollback_after_it_are_kept_together(records: RolloutRecords) -> None:
    first, back = step(1), step(2, Kind.ROLLBACK)
    records.begin(first, None, None)
    assert records.move(first, RolloutState.FAILED, "error-rate 1, at most 0.01", back)
    assert records.newest("chest") == back


def test_a_deleted_endpoint_keeps_its_history(records: RolloutRecords) -> None:
    first = step(1, Kind.DELETE)
    records.begin(first, None, None)
    records.move(first, RolloutState.SUCCEEDED)
    assert (records.endpoint("chest"), records.newest("chest")) == (None, None)
    assert len(records.history("chest")) == 1


def test_ids_sort_behind_the_newest_also_when_the_clock_was_set_back() -> None:
    future = RunId("7" + "Z" * 24 + "0")
    assert later_than(step(1).rollout, future).id == "7" + "Z" * 24 + "1"
    assert later_than(step(1).rollout, None).id > step(1).rollout.id


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("UPDATE rollouts SET actor = 'mallory' WHERE id = :first", "actor"),
        ("UPDATE rollouts SET reason = 'none' WHERE id = :second", "reason"),
        ("UPDATE rollouts SET state = 'failed' WHERE id = :second", "state"),
        ("UPDATE rollouts SET promotes = false WHERE id = :first", "asked"),
        ("UPDATE rollouts SET request = gates WHERE id = :first", "asked"),
        ("UPDATE rollouts SET id = '7' || substr(id, 2) WHERE id = :first", "is gone"),
        ("DELETE FROM rollouts WHERE id = :first", "is gone"),
        ("UPDATE endpoints SET alias = NULL", "alias"),
        ("UPDATE endpoints SET target = 'elsewhere'", "target"),
        ("DELETE FROM endpoints", "endpoints is gone"),
        (
            "INSERT INTO endpoints SELECT 'other', target, alias, created_at FROM endpoints",
            "no endpoint other",
        ),
    ],
)
def test_a_history_that_was_changed_behind_our_back_is_found(
    records: RolloutRecords, records_home: Home, trail: AuditTrail, change: str, said: str
) -> None:
    first, second = step(1), replace(step(2, Kind.ROLLBACK), actor="bob")
    records.begin(first, Alias.CHAMPION, None)
    records.begin(second, None, first.rollout.id)
    records.move(second, RolloutState.SUCCEEDED, "In force.")
    assert trail.verify().ok
    with open_database(records_home).write() as connection:
        _execute(connection, change, first, second)
    found = trail.verify()
    assert not found.ok
    assert found.trail_is_whole
    assert said in found.problems[0].message


def _execute(connection: Connection, change: str, first: Step, second: Step) -> None:
    named = {"first": first.rollout.id, "second": second.rollout.id}
    used = {name: value for name, value in named.items() if f":{name}" in change}
    connection.execute(text(change), used)


def test_an_endpoint_that_is_gone_leaves_a_history_that_is_verified(
    records: RolloutRecords, trail: AuditTrail
) -> None:
    first, end = step(1), step(2, Kind.DELETE)
    records.begin(first, None, None)
    records.begin(end, None, first.rollout.id)
    records.move(end, RolloutState.SUCCEEDED, "The endpoint is gone.")
    assert trail.verify().ok
    records.begin(step(3), Alias.CHAMPION, end.rollout.id)
    assert trail.verify().ok
