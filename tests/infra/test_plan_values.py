"""Old and new values of a plan: by the real Terraform, in the table, in the page and in JSON."""

import json
import os
import shutil
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from infra_examples import example
from markdown_it import MarkdownIt
from markdown_it.token import Token

from isocenter_infra.change.drift import unseen
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.plan_page import LONGEST_PAGE, page
from isocenter_infra.terraform.argument_changes import ArgumentChange, argument_changes
from isocenter_infra.terraform.binary import environment, find_terraform
from isocenter_infra.terraform.plan_summary import Action, ByHand, Change, summarise, summarise_drift
from isocenter_infra.terraform.workspace import Workspace
from isocenter_infra.verbs import screen

Document = dict[str, Any]
DIGEST = "sha256:" + "a" * 64


def made_by(tmp_path: Path) -> Workspace:
    if not (shutil.which("terraform") or shutil.which("tofu")):
        pytest.skip("LACKS: terraform or tofu, for the values of its plans")
    return Workspace(tmp_path, find_terraform(os.environ), environment())


def planned(workspace: Workspace, document: Document) -> dict[str, Any]:
    (workspace.folder / "cdk.tf.json").write_text(json.dumps(document))
    file = workspace.folder / "plan.tfplan"
    workspace.init()
    workspace.plan(file, lambda message: None)
    return workspace.show(file)


def applied(workspace: Workspace, document: Document) -> None:
    planned(workspace, document)
    workspace.apply(workspace.folder / "plan.tfplan", lambda message: None)


def resources(secret: str, days: int, place: str) -> Document:
    rule = {"rule": [{"default_retention": {"days": days}}], "password": "${var.secret}", "same": "x"}
    data = {"kept": {"input": rule}, "moved": {"input": "x", "triggers_replace": [place]}}
    follows = {"input": "${terraform_data.moved.id}"}
    return {
        "variable": {"secret": {"default": secret, "sensitive": True}},
        "resource": {"terraform_data": data | {"follows": follows}},
    }


def shown(changes: tuple[Change, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """All that anybody is shown of ``changes``, in one text."""
    screen.show_changes("Plan", "old → new", changes)
    table = capsys.readouterr().out
    return table + page("aws-x", changes, DIGEST, "terraform 1") + json.dumps([asdict(c) for c in changes])


def test_terraforms_own_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    workspace = made_by(tmp_path)
    applied(workspace, resources("hush-hush-1", 2922, "here"))
    changes = summarise(planned(workspace, resources("hush-hush-2", 2557, "there")))
    by_name = {change.address.partition(".")[2]: change for change in changes}
    assert by_name["kept"].arguments == (
        ArgumentChange("input.password", "(sensitive)", "(sensitive)"),
        ArgumentChange("input.rule[0].default_retention.days", "2922", "2557"),
    )
    assert by_name["moved"].action is Action.REPLACE
    assert by_name["moved"].arguments == (ArgumentChange("triggers_replace[0]", "here", "there", True),)
    (follows,) = by_name["follows"].arguments
    assert (follows.path, follows.new) == ("input", "(known after apply)")
    text = shown(changes, capsys)
    assert "hush" not in text
    assert "input.rule[0].default_retention.days: 2922 → 2557" in text
    assert "(forces replacement)" in text
    assert "**forces replacement**" in text


def difference(old: object, new: object, **marks: object) -> list[str]:
    change = {"before": {"x": old}, "after": {"x": new}, **marks}
    return [each.shortened(200) for each in argument_changes(change)]


STATEMENTS = [{"Sid": sid, "Action": ["s3:Get*"]} for sid in ("A", "B", "C")]


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (1, 2, ["x: 1 → 2"]),
        (True, False, ["x: true → false"]),
        ("a", None, ["x: a → (none)"]),
        (None, "a", ["x: (none) → a"]),
        ("", None, []),
        (None, [], []),
        (0, None, ["x: 0 → (none)"]),
        ({"a.b/c": "1"}, {"a.b/c": "2"}, ['x["a.b/c"]: 1 → 2']),
        # Sets come in any order; what is the same in both is no change.
        (["a", "b"], ["b", "c"], ["x[1]: a → c"]),
        (["a", "b"], ["b", "a"], ['x: ["a", "b"] → ["b", "a"]']),
        (["a"], ["a", "b"], ["x[1]: (none) → b"]),
        # JSON in an argument: a policy.
        (
            json.dumps({"Statement": STATEMENTS}),
            json.dumps({"Statement": [STATEMENTS[0], {"Sid": "N", "Action": "*"}, *STATEMENTS[1:]]}),
            ['x.Statement[1]: (none) → {"Action": "*", "Sid": "N"}'],
        ),
        ('{"a":1,"b":2}', '{"b": 2, "a": 1}', ['x: {"a":1,"b":2} → {"b": 2, "a": 1}']),
        ("[not json", "[nor this", ["x: [not json → [nor this"]),
        # A block that is too long to be shown whole is shown by its parts.
        (
            [],
            [{"a": "v" * 50, "b": {"c": 1}}],
            [f"x[0].a: (none) → {'v' * 50}", 'x[0].b: (none) → {"c": 1}'],
        ),
        # Nothing that a terminal acts on, and nothing that turns the text round.
        ("a", "\x1b[31mred\n\u202eback", ["x: a → \\x1b[31mred\\n\\u202eback"]),
    ],
)
def test_what_differs_is_told_at_its_place(old: object, new: object, lines: list[str]) -> None:
    assert difference(old, new) == lines


def test_long_values_are_cut_where_they_begin_to_differ() -> None:
    change = ArgumentChange("x", "same " * 100 + "old" + "x" * 500, "same " * 100 + "new" + "x" * 500)
    line = change.shortened(80)
    assert len(line) < 200
    assert "old" in line
    assert "new" in line
    assert line.startswith("x: …")


@pytest.mark.parametrize("side", ["before_sensitive", "after_sensitive"])
@pytest.mark.parametrize("marks", [True, {"secret": True}])
def test_what_is_sensitive_on_one_side_is_shown_on_neither(side: str, marks: object) -> None:
    old, new = {"secret": "old-hush", "other": 1}, {"secret": "new-hush", "other": 2}
    lines = difference(old, new, **{side: {"x": marks}})
    assert "hush" not in " ".join(lines)
    assert any("(sensitive) → (sensitive)" in line for line in lines)
    added = difference(None, [{"secret": "new-hush", "other": 1}], after_sensitive={"x": [{"secret": True}]})
    assert added == ['x: (none) → [{"other": 1, "secret": "(sensitive)"}]']


def test_what_a_cloud_computes_anew_is_left_out_of_a_replacement() -> None:
    change = {
        "before": {"id": "1", "arn": "a", "name": "x", "subnet": "s-1"},
        "after": {"name": "y"},
        "after_unknown": {"id": True, "arn": True, "subnet": True},
        "replace_paths": [["name"]],
    }
    assert argument_changes(change, {"name", "subnet"}) == (
        ArgumentChange("name", "x", "y", True),
        ArgumentChange("subnet", "s-1", "(known after apply)"),
    )


def test_tags_are_told_once_as_they_will_be() -> None:
    before = {"tags": {}, "tags_all": {"environment": "prod", "owner": "a"}}
    after = {"tags": {"owner": "b"}, "tags_all": {"environment": "prod", "owner": "b"}}
    assert argument_changes({"before": before, "after": after}) == (
        ArgumentChange("tags_all.owner", "a", "b"),
    )
    later = {"before": before, "after": {"tags": {"owner": "b"}}, "after_unknown": {"tags_all": True}}
    assert [each.shortened(80) for each in argument_changes(later, {"tags"})] == ["tags.owner: (none) → b"]


def resource(address: str, *actions: str, **change: object) -> dict[str, Any]:
    kind, name = address.split(".")
    return {"address": address, "type": kind, "name": name, "change": {"actions": list(actions), **change}}


def test_a_replacement_that_no_argument_asks_for_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    made = resource("a.half", "delete", "create", before={"x": 1}, after={"x": 1})
    changes = summarise({"resource_changes": [made | {"action_reason": "replace_because_tainted"}]})
    assert changes == (Change(Action.REPLACE, "a.half", reason="half made by an interrupted apply"),)
    screen.show_changes("Plan", "old → new", changes)
    assert "half made by an interrupted apply" in capsys.readouterr().out
    assert "| `a.half` | half made by an interrupted apply |" in page("aws-x", changes, DIGEST, "terraform 1")


def test_drift_is_what_the_next_apply_would_put_back() -> None:
    plan = {
        "resource_drift": [
            resource("a.gone", "delete", before={"x": 1}),
            resource("a.gone_and_not_wanted", "delete", before={"x": 1}),
            resource("a.set", "update", before={"x": 1, "n": 0}, after={"x": 2, "n": 1}),
            resource("a.computed", "update", before={"n": 0, "x": 1}, after={"n": 1, "x": 1}),
        ],
        "resource_changes": [
            resource("a.gone", "create", before=None, after={"x": 1}),
            resource("a.set", "update", before={"x": 2, "n": 1}, after={"x": 1, "n": 1}),
            resource("a.computed", "update", before={"n": 1, "x": 1}, after={"n": 1, "x": 3}),
        ],
    }
    assert summarise_drift(plan) == (
        Change(ByHand.GONE, "a.gone"),
        Change(ByHand.CHANGED, "a.set", (ArgumentChange("x", "1", "2"),)),
    )


@pytest.mark.parametrize(
    ("cloud", "what"),
    [
        ("aws", "access keys"),
        ("gcp", "roles granted in the project"),
        ("azure", "role assignments"),
        ("onprem", "role bindings"),
    ],
)
def test_drift_and_the_guide_say_what_can_not_be_seen(tmp_path: Path, cloud: str, what: str) -> None:
    assert what in unseen(Intent(example(cloud), tmp_path, tmp_path))
    assert what in (Path(__file__).parents[2] / "docs" / "deploying.md").read_text()
    assert "security groups" in unseen(Intent(example("aws"), tmp_path, tmp_path, emulate=True))


def test_drift_never_says_destroy(capsys: pytest.CaptureFixture[str]) -> None:
    screen.show_drift(
        [Change(ByHand.GONE, "a.x"), Change(ByHand.CHANGED, "a.y", (ArgumentChange("v", "1", "2"),))]
    )
    said = capsys.readouterr().out
    assert "destroy" not in said
    assert "1 gone, 1 changed by hand." in said
    assert "v: 1 → 2" in said


# --- the page ---


def cells(text: str) -> list[list[Token]]:
    """The table's rows, as a Markdown parser reads them: each cell's content."""
    tokens = MarkdownIt("gfm-like", {"linkify": False, "html": True}).parse(text)
    rows: list[list[Token]] = []
    for before, token in pairwise(tokens):
        if token.type == "tr_open":
            rows.append([])
        elif before.type == "td_open":
            rows[-1].append(token)
    return [row for row in rows if row]


@pytest.mark.parametrize(
    "value",
    [
        "a | b",
        "a \\| b \\\\| c",
        "|",
        "ends with \\",
        "`code` and ``more``",
        "`",
        "<img src=x onerror=alert(1)> <!-- hidden -->",
        "</td></tr></table><script>",
        "@hospital/security please, closes #1",
        "[a link](https://example.com) ![an image](https://example.com/x.png)",
        "**bold** _it_ ~~gone~~ :tada:",
        "one\n| two | three | four |\n### heading",
        "&lt;b&gt; &#124;",
    ],
)
@pytest.mark.parametrize("where", ["value", "path", "address"])
def test_a_value_cant_break_out_of_its_cell(value: str, where: str) -> None:
    argument = ArgumentChange(value if where == "path" else "tags.x", "old", value, True)
    address = f'a.b["{value}"]' if where == "address" else "a.b"
    plain = Change(Action.CREATE, "a.after")
    (row, after) = cells(
        page("aws-x", [Change(Action.UPDATE, address, (argument, argument)), plain], DIGEST, "t")
    )
    assert (len(row), len(after)) == (3, 3)
    children = [child for cell in row for child in cell.children or ()]
    assert {child.type for child in children} <= {
        "text",
        "code_inline",
        "html_inline",
        "strong_open",
        "strong_close",
    }
    assert {child.content for child in children if child.type == "html_inline"} == {"<br>"}
    assert {child.content for child in children if child.type == "text"} <= {
        "update",
        " ",
        "forces replacement",
        "",
    }
    codes = [child.content for child in children if child.type == "code_inline"]
    assert len(codes) == 3
    expected = value.replace("\n", "\\n").strip()
    assert all(expected in code for code in (codes[:1] if where == "address" else codes[1:]))


@pytest.mark.parametrize("value", ["v" * 5000, "`" * 5000, "|" * 5000, "\u202e" * 5000, "é|`" * 3000])
def test_the_page_is_bounded_and_counts_what_it_left_out(value: str) -> None:
    arguments = tuple(ArgumentChange(f"x{number}.{value}", value, value[::-1] + "n") for number in range(40))
    changes = [Change(Action.REPLACE, f"a.r{number}", arguments) for number in range(3)]
    changes += [Change(Action.CREATE, f"a.c{number}.{'n' * 100}") for number in range(1000)]
    text = page("aws-x", changes, DIGEST, "terraform 1")
    assert len(text) <= LONGEST_PAGE
    rows = cells(text)
    assert rows, "the gravest is there"
    assert "**replace**" in text
    assert "and 28 more" in text
    assert "3 to replace, 1000 to create" in text
    left = 1003 - len(rows)
    replaced = max(0, 3 - len(rows))
    said = f"{replaced} to replace, {left - replaced} to create" if replaced else f"{left} to create"
    assert f"Left out here because the page is full: {said}." in text
    assert DIGEST in text


def test_three_clouds_plans_fit_in_one_comment() -> None:
    assert 3 * LONGEST_PAGE < 60_000, "what .github/plans/comment.py keeps"


def test_a_short_plan_leaves_nothing_out() -> None:
    text = page("aws-x", [Change(Action.CREATE, "a.x")], DIGEST, "terraform 1")
    assert "Left out" not in text
    assert "Nothing to change." in page("aws-x", [], DIGEST, "terraform 1")


def test_a_value_with_brackets_is_no_style_on_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    argument = ArgumentChange("x", "[bold]old[/bold]", "[/]")
    screen.show_changes("Plan", "old → new", (Change(Action.UPDATE, "a.x", (argument,)),))
    assert "x: [bold]old[/bold] → [/]" in capsys.readouterr().out
