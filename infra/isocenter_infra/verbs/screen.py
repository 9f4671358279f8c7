"""What the verbs show: checks, plans, progress. Text goes to standard output, progress to standard error."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import click

from isocenter.cli.output import print_table, progress_console
from isocenter_infra.change.check import Checked, controls_checked
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.plan import SavedPlan
from isocenter_infra.terraform.plan_summary import Action, Change
from isocenter_infra.terraform.workspace import Listener

_COLOURS = {
    Action.DESTROY: "bold red",
    Action.REPLACE: "bold red",
    Action.UPDATE: "yellow",
    Action.CREATE: "green",
}
_MOST_ARGUMENTS = 6


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
        show_changes("Plan", saved.changes)
    click.echo(f"Plan   {saved.folder}\nDigest {saved.record.digest}")


def show_changes(title: str, changes: Sequence[Change]) -> None:
    """Changes as a table, with destroys and replacements in red, and how many of each."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", header_style="bold")
    for column in ("action", "resource", "arguments"):
        table.add_column(column, overflow="fold")
    for change in changes:
        named = ", ".join(change.arguments[:_MOST_ARGUMENTS])
        table.add_row(change.action, change.address, named, style=_COLOURS[change.action])
    Console(width=None if sys.stdout.isatty() else 140).print(table)
    counts = {action: sum(change.action is action for change in changes) for action in Action}
    click.echo(", ".join(f"{number} to {action}" for action, number in counts.items() if number) + ".")


@contextmanager
def progress(title: str) -> Iterator[Listener]:
    """A bar on standard error that follows what Terraform says of its resources."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=progress_console(), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def listen(message: Mapping[str, Any]) -> None:
            kind = message.get("type")
            if kind == "change_summary" and message["changes"].get("operation") == "plan":
                bar.update(task, total=_total(message["changes"]))
            elif kind in ("apply_complete", "refresh_complete"):
                bar.advance(task)

        yield listen


def _total(changes: Mapping[str, Any]) -> int:
    return sum(int(changes.get(name, 0)) for name in ("add", "change", "remove"))
