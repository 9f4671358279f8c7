"""``make drift``: what was changed by hand."""

from dataclasses import asdict
from pathlib import Path

import click

from isocenter.cli.output import json_option, print_json
from isocenter_infra.verbs.options import deployment_options, emulate_option


@click.command()
@deployment_options
@emulate_option
@json_option
def command(cloud: str, name: str, deployments: Path, outdir: Path, emulate: bool, as_json: bool) -> None:
    """Compare what exists with what was applied. Exit code 6 where something was changed by hand."""
    from isocenter.errors import IntegrityError
    from isocenter_infra.change.drift import find_drift, unseen
    from isocenter_infra.verbs import screen
    from isocenter_infra.verbs.audited import audited
    from isocenter_infra.verbs.progress import progress

    asked = (cloud, name, deployments, outdir)
    with audited("deployment.drift", *asked, emulate=emulate) as (intent, details):
        with progress("Looking", quiet=as_json) as listen:
            changes = find_drift(intent, screen.notice, listen)
        details["changed"] = len(changes)
    if as_json:
        print_json([asdict(change) for change in changes])
    elif changes:
        screen.show_drift(changes)
    else:
        click.echo(f"{intent.target} is as it was applied.")
    screen.notice(unseen(intent))
    if changes:
        raise IntegrityError(
            f"{len(changes)} resources of {intent.target} were changed by hand.",
            hint="make plan shows what it takes to put them back; make deploy does it.",
        )
