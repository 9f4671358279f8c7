"""``isocenter endpoint shift``: how much of the traffic the new version gets."""

from typing import Any

import click

from isocenter.cli.endpoint.options import dry_run_option, gate_options, reason_option
from isocenter.cli.output import json_option


@click.command(
    epilog="""\b
Examples:
  isocenter endpoint shift chest 25 --reason "a quiet week"
  isocenter endpoint shift chest 100 --reason "gates held for a week"   (promotes it; the old version ends)
  isocenter endpoint shift chest 0 --reason "compare only"              (makes it a shadow)"""
)
@click.argument("name")
@click.argument("percent", type=click.IntRange(0, 100))
@gate_options
@reason_option
@dry_run_option
@json_option
def command(name: str, percent: int, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Give the newer of two versions behind NAME this PERCENT of the requests."""
    from isocenter.audit.actor import current_actor
    from isocenter.cli.endpoint.options import build_gates
    from isocenter.cli.endpoint.telling import finish, watcher
    from isocenter.home import open_home
    from isocenter.rollouts.opening import open_operations, open_records
    from isocenter.rollouts.planning import Wish

    home = open_home()
    target = open_records(home).require(name).target
    operations = open_operations(home, target, watcher(quiet=as_json))
    wish = Wish(
        current_actor(),
        options["reason"],
        gates=build_gates(options),
        promotes=options["promote"],
        trial=dry_run,
    )
    planned = operations.plan_shift(name, percent, wish)
    finish(operations, planned, dry_run=dry_run, as_json=as_json)
