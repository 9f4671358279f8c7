"""How far Terraform is, where nobody watches a terminal."""

from collections.abc import Iterator

import pytest

from isocenter_infra.terraform.plan_summary import Action, Change
from isocenter_infra.verbs.progress import progress, steps

DONE = {"type": "apply_complete", "hook": {"action": "create"}}


def ticking(seconds: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += seconds


def said(
    capsys: pytest.CaptureFixture[str],
    messages: list[dict[str, object]],
    seconds: float,
    *,
    total: int | None = None,
    quiet: bool = False,
) -> list[str]:
    clock = ticking(seconds).__next__
    with progress("Applying", total=total, quiet=quiet, clock=clock) as listen:
        for message in messages:
            listen(message)
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_a_line_after_ten_resources_with_the_total(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, [DONE] * 25, 1, total=87)
    assert [line.partition(",")[0] for line in lines] == [
        "Applying: 10 of 87 resources",
        "Applying: 20 of 87 resources",
    ]


def test_a_line_after_a_while_also_where_one_resource_takes_long(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, [{"type": "apply_progress"}] * 8, 5, total=3)
    assert [line.partition(",")[0] for line in lines] == ["Applying: 0 of 3 resources"] * 3


def test_not_a_hundred_lines_in_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, [{"type": "refresh_complete"}] * 500, 0.001) == []


def test_with_json_there_are_no_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, [DONE] * 100, 10, total=100, quiet=True) == []


def test_a_plan_tells_the_total_of_the_apply_that_follows(capsys: pytest.CaptureFixture[str]) -> None:
    """As in `make destroy`, where one bar follows two plans and two applies."""
    reads = [{"type": "apply_complete", "hook": {"action": "read"}}] * 3
    summary = {"operation": "plan", "add": 2, "change": 1, "remove": 12}
    plan = [*reads, *[{"type": "refresh_complete"}] * 40, {"type": "change_summary", "changes": summary}]
    end = {"type": "change_summary", "changes": {"operation": "apply", "remove": 15}}
    lines = said(capsys, [*plan, *[DONE] * 10, end, {"type": "refresh_complete"}], 3.1)
    assert [line.partition(",")[0] for line in lines][-1] == "Applying: 10 of 15 resources"
    assert all(" of " not in line for line in lines[:4])


def test_a_replacement_is_two_steps() -> None:
    assert steps([Change(Action.REPLACE, "a.x"), Change(Action.CREATE, "a.y")]) == 3
