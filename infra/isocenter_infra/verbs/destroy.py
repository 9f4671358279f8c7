"""``make destroy``: refused where data, keys or audit logs would go, unless forced with a reason."""

import sys
from pathlib import Path

import click

from isocenter_infra.verbs.options import deployment_options, emulate_option


@click.command()
@deployment_options
@emulate_option
@click.option("--force", is_flag=True, help="Destroy what is protected too.")
@click.option("--reason", default="", help="Why; kept in the audit trail.")
@click.option("--auto-approve", is_flag=True, help="Don't ask for the deployment's name.")
def command(
    cloud: str,
    name: str,
    deployments: Path,
    outdir: Path,
    emulate: bool,
    force: bool,
    reason: str,
    auto_approve: bool,
) -> None:
    """Destroy a deployment."""
    from isocenter.errors import PolicyError
    from isocenter_infra.change.destroy import destroy_by_force, destroy_emulated, refuse_without_force
    from isocenter_infra.synthesis import synthesize
    from isocenter_infra.verbs import screen
    from isocenter_infra.verbs.audited import audited
    from isocenter_infra.verbs.progress import progress

    asked = (cloud, name, deployments, outdir)
    with audited("deployment.destroy", *asked, emulate=emulate) as (intent, details):
        details |= {"forced": force, "reason": reason}
        if not force:
            refuse_without_force(synthesize(intent.deployment, screen.notice).document)
        if force and len(reason.split()) < 2:
            raise PolicyError(
                "A forced destroy needs a reason of two words at least.",
                hint="REASON='why, in a few words'",
            )
        if not auto_approve:
            if not sys.stdin.isatty():
                raise PolicyError("Nothing was destroyed: nobody is here to type the deployment's name.")
            typed = click.prompt(f"Type the deployment's name ({intent.target}) to destroy it", default="")
            if typed.strip() != intent.target:
                raise PolicyError("Nothing was destroyed: the name wasn't typed.")
        if emulate:
            destroy_emulated(intent, screen.notice)
        else:
            with progress("Destroying") as listen:
                destroy_by_force(intent, screen.notice, listen)
    click.echo(f"{intent.target} is gone.")
