"""``isocenter model mirror``: carry what is due to the targets' own model registries."""

import click

from isocenter.cli.output import json_option, print_json, print_table


@click.command(
    epilog="""\b
Examples:
  isocenter model mirror                                 # carry what is due; a failed one waits its time
  isocenter model mirror --now                           # also what failed a moment ago
  isocenter model mirror chest-xray:3 --target aws-prod  # have a version mirrored from now on

A version is mirrored by itself to the deployed target whose run registered it. Run this verb by a timer: a
mirror that is down delays its versions and loses none."""
)
@click.argument("reference", required=False)
@click.option("--target", default=None, help="Only this target; with a version: where it is to be mirrored.")
@click.option("--now", "at_once", is_flag=True, help="Don't wait out the time after a failure.")
@json_option
def command(reference: str | None, target: str | None, at_once: bool, as_json: bool) -> None:
    """Carry versions, aliases and approvals to the registries of their targets."""
    from isocenter.errors import TransientFaultError
    from isocenter.home import open_home
    from isocenter.mirrors.delivery import deliver
    from isocenter.registry.opening import open_registry
    from isocenter.storage.database import open_database
    from isocenter.targets import find_target

    if reference and not target:
        raise click.UsageError("A version needs --target: where it is to be mirrored.")
    home = open_home()
    if target:
        find_target(home, target)
    registry = open_registry(home)
    if reference and target:
        registry.mirror(registry.get(reference), target)
    found = list(deliver(home, open_database(home), registry, target=target, at_once=at_once))
    rows = [
        {"version": d.record.reference, "target": d.record.target, "state": d.state, "error": d.error}
        for d in found
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table("Mirrors", ("version", "target", "state", "error"), (tuple(row.values()) for row in rows))
    else:
        click.echo("No version is to be mirrored.")
    if not as_json and any(d.state == "waiting" for d in found):
        click.echo(
            "What waits was not tried: it failed a moment ago (the error is that try's). --now tries it."
        )
    failed = [d for d in found if d.state == "failed"]
    if failed:
        raise TransientFaultError(
            f"{len(failed)} of {len(found)} mirrors could not be brought up to date.",
            hint="Nothing is lost: the same command carries it later.",
        )
