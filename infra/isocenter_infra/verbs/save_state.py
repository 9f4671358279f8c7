"""``make save-state``: what an apply made, brought to the state's place before this machine is gone."""

from pathlib import Path

import click

from isocenter_infra.verbs.options import deployment_options, emulate_option

_WAIT_S = 240.0


@click.command()
@deployment_options
@emulate_option
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(0),
    default=_WAIT_S,
    show_default=True,
    help="Seconds to try while it can't be reached.",
)
def command(cloud: str, name: str, deployments: Path, outdir: Path, emulate: bool, wait_s: float) -> None:
    """Save the state that an apply could not save (errored.tfstate in the stack's folder), if there is one.

    It holds secrets, so it goes where the state lies and nowhere else. Nothing is planned or applied.
    """
    from isocenter_infra.change.unsaved import save_patiently, where_it_lies
    from isocenter_infra.verbs import screen
    from isocenter_infra.verbs.audited import audited

    asked = (cloud, name, deployments, outdir)
    with audited("deployment.save-state", *asked, emulate=emulate) as (intent, details):
        details["saved"] = save_patiently(where_it_lies(intent), screen.notice, wait_s=wait_s)
    saved = "is saved now" if details["saved"] else "has nothing unsaved here"
    click.echo(f"The state of {intent.target} {saved}.")
