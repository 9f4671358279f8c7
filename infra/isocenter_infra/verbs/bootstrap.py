"""``make bootstrap``: the bucket of Terraform's state, once."""

from pathlib import Path

import click

from isocenter_infra.verbs.options import deployment_options, emulate_option, read_intent


@click.command()
@deployment_options
@emulate_option
def command(cloud: str, name: str, deployments: Path, outdir: Path, emulate: bool) -> None:
    """Make the encrypted, versioned, locked bucket of Terraform's state, and move its own state into it."""
    from isocenter_infra.change.bootstrap import bootstrap
    from isocenter_infra.verbs import screen
    from isocenter_infra.verbs.audited import audited
    from isocenter_infra.verbs.progress import progress

    intent = read_intent(cloud, name, deployments, outdir, emulate=emulate)
    with (
        audited("deployment.bootstrap", intent.about) as details,
        progress("Making the state's bucket") as listen,
    ):
        details["made"] = bootstrap(intent, screen.notice, listen)
    said = "is ready" if details["made"] else "was there already"
    click.echo(f"The bucket of {intent.target}'s Terraform state {said}.")
