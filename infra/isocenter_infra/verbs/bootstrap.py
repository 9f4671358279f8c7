"""``make bootstrap``: the bucket of Terraform's state, once."""

from pathlib import Path

import click

from isocenter_infra.verbs.options import deployment_options, emulate_option


@click.command()
@deployment_options
@emulate_option
def command(cloud: str, name: str, deployments: Path, outdir: Path, emulate: bool) -> None:
    """Make the encrypted, versioned, locked bucket of Terraform's state, and move its own state into it."""
    from isocenter_infra.change.bootstrap import bootstrap
    from isocenter_infra.verbs import screen
    from isocenter_infra.verbs.audited import audited
    from isocenter_infra.verbs.progress import progress

    asked = (cloud, name, deployments, outdir)
    with (
        audited("deployment.bootstrap", *asked, emulate=emulate) as (intent, details),
        progress("Making the state's bucket") as listen,
    ):
        details["made"] = bootstrap(intent, screen.notice, listen)
    said = "is ready" if details["made"] else "was there already"
    click.echo(f"The bucket of {intent.target}'s Terraform state {said}.")
