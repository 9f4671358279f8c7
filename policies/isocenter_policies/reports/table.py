"""The result as a table for people: one row a broken rule, with every place that breaks it."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from isocenter_policies.catalogue import RuleInfo
from isocenter_policies.rule import Severity
from isocenter_policies.scan import Finding, ScanResult

_STYLES = {"critical": "bold white on red", "high": "bold red", "medium": "yellow", "low": "cyan"}
_SOON = timedelta(days=30)


def print_table(result: ScanResult, threshold: Severity, console: Console) -> None:
    """Print what is open, what is excused, and how much was checked."""
    opened = result.open()
    if opened:
        console.print(_table(opened))
    for finding in result.excused:
        _print_excused(finding, console)
    for file in result.files:
        console.print(
            f"{file.path}: {file.resources} resources, {file.failed} failed, {file.excused} excused,"
            f" {file.passed} passed",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    console.print(_verdict(result, threshold), highlight=False, soft_wrap=True)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table(show_lines=True, expand=True)
    table.add_column("severity", no_wrap=True)
    table.add_column("rule", ratio=3, overflow="fold")
    table.add_column("where", ratio=4, overflow="fold")
    for rule, group in groupby(findings, key=lambda finding: finding.rule):
        severity = f"[{_STYLES[rule.severity]}]{rule.severity}[/]"
        table.add_row(severity, _about(rule), "\n".join(_where(finding) for finding in group))
    return table


def _about(rule: RuleInfo) -> str:
    serves = [f"45 CFR {', '.join(rule.citations)}"] if rule.citations else []
    serves += [f"control {rule.control}"] if rule.control else []
    lines = [
        f"[bold]{rule.id}[/] {escape(rule.title)}",
        *([f"[dim]{'; '.join(serves)}[/]"] if serves else []),
    ]
    lines += [f"Why: {escape(rule.why)}"] if rule.why else []
    return "\n".join([*lines, f"Fix: {escape(rule.fix)}"])


def _where(finding: Finding) -> str:
    place = f"\n  {finding.place}" if finding.place else ""
    detail = f"\n  {finding.detail}" if finding.detail else ""
    stack = f"{finding.stack}: " if finding.stack else ""
    return escape(f"{stack}{finding.resource}{place}{detail}")


def _print_excused(finding: Finding, console: Console) -> None:
    exception = finding.excused
    assert exception is not None and exception.until is not None  # noqa: S101 - only valid ones excuse
    soon = "[yellow], soon[/]" if exception.until - date.today() < _SOON else ""
    console.print(
        f"[dim]excused[/] {finding.rule.id} {escape(finding.stack)}: {escape(finding.resource)}:"
        f" {escape(exception.reason)} (owner {escape(exception.owner)}, until {exception.until}{soon})",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def _verdict(result: ScanResult, threshold: Severity) -> str:
    refused, opened = result.open(threshold), result.open()
    counts = (
        f"{len(result.catalogue.rules)} rules: {len(opened)} failed, {len(result.excused)} excused,"
        f" {sum(file.passed for file in result.files)} passed, {result.seconds:.1f} s"
    )
    if refused:
        return f"[bold red]Refused:[/] {len(refused)} open findings ({counts})."
    below = f" {len(opened)} open below {threshold};" if opened else ""
    return f"[bold green]Passed:[/]{below} {counts}."
