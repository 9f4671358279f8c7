"""What ``isocenter pipeline run`` prints at the end."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from isocenter.cli.carrying import tell_carried
from isocenter.cli.output import print_table


def print_summary(summary: Mapping[str, Any]) -> None:
    """Steps, metrics, and where model, report and card are."""
    if summary["nothing_to_do"]:
        click.echo("Nothing to do: every step has been done for these inputs.")
    print_steps(summary["steps"])
    for warning in summary["warnings"]:
        click.echo(click.style("Note: ", fg="yellow") + warning)
    metrics = [(name.replace("_", " "), _estimate(found)) for name, found in summary["metrics"].items()]
    print_table("On the test patients (95 % interval)", ("metric", "value"), metrics)
    click.echo(f"Model   {summary['reference']}  {summary['digest']}")
    click.echo(f"Report  {summary['report']}")
    click.echo(f"Card    {summary['card']}")
    tell_carried(summary.get("mirrors", []))
    if summary["card_missing"]:
        click.echo(
            f"        {len(summary['card_missing'])} fields are to be filled before it can be champion"
        )
    click.echo(f"Next    isocenter predict {summary['reference']} FILE.dcm")


def print_steps(rows: Sequence[Mapping[str, Any]]) -> None:
    """Which step was done now and which is from before; of a job from before, from where."""
    steps = [(s["step"], s["state"], _seconds(s["seconds"]), s["result"][:19]) for s in rows]
    print_table("Steps", ("step", "state", "seconds", "result"), steps)
    for row in rows:
        if row["reused"] is not None:
            click.echo(f"Reused  {row['reused']['sentence']}")


def _seconds(found: float | None) -> str:
    return "" if found is None else f"{found:.1f}"


def _estimate(found: Mapping[str, Any]) -> str:
    if found["value"] is None:
        return "not defined"
    if found["low"] is None or found["high"] is None:
        return f"{found['value']:.3f}  (–)"
    return f"{found['value']:.3f}  ({found['low']:.3f} to {found['high']:.3f})"
