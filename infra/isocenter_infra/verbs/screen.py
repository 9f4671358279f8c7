"""What the verbs show: checks, plans, drift. Text goes to standard output, notices to standard error."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from isocenter.cli.output import print_table
from isocenter_infra.change.check import Checked, controls_checked
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.plan import SavedPlan
from isocenter_infra.terraform.argument_changes import one_line
from isocenter_infra.terraform.plan_summary import Action, ByHand, Change

_COLOURS = {
    Action.DESTROY: "bold red",
    Action.REPLACE: "bold red",
    Action.UPDATE: "yellow",
    Action.CREATE: "green",
    ByHand.GONE: "bold red",
    ByHand.CHANGED: "yellow",
}
_MOST_ARGUMENTS = 12
_LONGEST_VALUE = 80
# Where there is no terminal to ask.
_WIDTH = 160


def notice(sentence: str) -> None:
    """Say something on standard error."""
    click.echo(sentence, err=True)


def show_checks(intent: Intent, checked: Checked) -> None:
    """What each check said; its findings where it failed."""
    resources = sum(len(named) for named in checked.document.get("resource", {}).values())
    controls = controls_checked(intent.settings.cloud)
    said = [f"{resources} resources", f"schema {_verdict(len(checked.schema))}"]
    if intent.stack == "main" and controls:
        said.append(f"parity {controls} controls {_verdict(len(checked.parity))}")
    policy = checked.policy
    said.append(f"policy {len(policy.findings)} failed, {policy.excused} excused, {policy.checks} passed")
    click.echo(f"{intent.settings.name}: {'; '.join(said)}.")
    rows = [("schema", "", f.address, f.sentence, f.source) for f in checked.schema]
    rows += [("parity", str(gap.control), gap.address, gap.sentence, gap.source) for gap in checked.parity]
    rows += [("policy", *_policy_row(finding)) for finding in checked.policy.findings]
    if rows:
        print_table("Findings", ("check", "rule", "resource", "what", "made at"), rows)


def _policy_row(finding: Mapping[str, Any]) -> tuple[str, str, str, str]:
    place = f"{finding['file']}:{finding['line']}"
    return finding["rule"], finding["resource"], f"{finding['title']}. {finding['fix']}", place


def _verdict(faults: int) -> str:
    return "passed" if not faults else f"{faults} findings"


def show_left_out(left_out: Mapping[str, str]) -> None:
    """What the emulator can't hold."""
    if left_out:
        print_table("Left out: the emulator can't hold it", ("resource", "why"), left_out.items())


def show_plan(saved: SavedPlan) -> None:
    """The plan as a table, the gravest first."""
    if saved.is_empty:
        click.echo("Nothing to change.")
    else:
        show_changes("Plan", "old → new", saved.changes)
        click.echo(_counted(saved.changes, Action, "to ") + ".")
    click.echo(f"Plan   {saved.folder}\nDigest {saved.record.digest}")


def show_drift(changes: Sequence[Change]) -> None:
    """What was changed by hand as a table, what is gone first."""
    show_changes("Since the last deploy", "applied → now", changes)
    click.echo(_counted(changes, ByHand) + ".")


def show_changes(title: str, values: str, changes: Sequence[Change]) -> None:
    """Changes as a table, the grave ones in red."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in ("action", "resource", values):
        table.add_column(column, overflow="fold")
    for change in changes:
        # As text: a value with brackets would be taken for a style.
        cells = (str(change.action), one_line(change.address), _lines(change))
        table.add_row(*map(Text, cells), style=_COLOURS[change.action])
    Console(width=None if sys.stdout.isatty() else _WIDTH).print(table)


def _lines(change: Change) -> str:
    """Why, where no argument says it, and its arguments, each on a line."""
    lines = [change.reason] if change.reason else []
    lines += [
        argument.shortened(_LONGEST_VALUE) + (" (forces replacement)" if argument.forces_replacement else "")
        for argument in change.arguments[:_MOST_ARGUMENTS]
    ]
    if len(change.arguments) > _MOST_ARGUMENTS:
        lines.append(f"and {len(change.arguments) - _MOST_ARGUMENTS} more")
    return "\n".join(lines)


def _counted(changes: Sequence[Change], actions: Iterable[Action | ByHand], word: str = "") -> str:
    counts = {action: sum(change.action is action for change in changes) for action in actions}
    return ", ".join(f"{number} {word}{action}" for action, number in counts.items() if number)
