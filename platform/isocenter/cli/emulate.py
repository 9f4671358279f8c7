"""``isocenter emulate``: a cloud's training and serving on this machine, as a target."""

from typing import TYPE_CHECKING

import click

from isocenter.cli.output import json_option, print_json

if TYPE_CHECKING:
    from isocenter.emulators.serve import Running

# As isocenter.emulators.serve.EMULATORS, which --help doesn't wait for.
_CLOUDS = ("aws", "azure", "gcp", "kubernetes")


@click.command(
    epilog="""\b
Examples:
  isocenter emulate gcp                 until Ctrl-C; `--target gcp-emulated` in another terminal
  isocenter emulate gcp --detach        stays in the background
  isocenter emulate gcp --stop          ends it

It listens on 127.0.0.1 only. Its descriptor, CLOUD-emulated.json, lies where `isocenter target list` reads:
in $ISOCENTER_DEPLOYMENTS, else in `deployments` in the current folder if that is there, else in `deployments`
in the store. What it holds lies in the store, under `emulators`, but for what aws and kubernetes keep in
memory; --stop ends that. Whether the state is new is said at the start."""
)
@click.argument("cloud", type=click.Choice(_CLOUDS))
@click.option(
    "--port", default=0, type=click.IntRange(0, 65535), help="Default: the last one's, or a free one."
)
@click.option("--detach", is_flag=True, help="Run it in the background.")
@click.option("--stop", is_flag=True, help="End the one that runs; its jobs end too.")
@click.option(
    "--program",
    multiple=True,
    metavar="WORD",
    help="What runs in place of the training image's entry point, a word each time. Default: this Python's"
    " isocenter_training.",
)
@click.option(
    "--serving-program",
    multiple=True,
    metavar="WORD",
    help="Likewise for the serving image. Default: this Python's isocenter_serving.",
)
@json_option
def command(
    cloud: str,
    port: int,
    detach: bool,
    stop: bool,
    program: tuple[str, ...],
    serving_program: tuple[str, ...],
    as_json: bool,
) -> None:
    """Answer as CLOUD's service does, and run its jobs and endpoints as processes of this machine.

    Requests are checked as the service checks them, and a job that can't run fails. No image is pulled: the
    container's program is the installed one. Endpoints of aws and kubernetes answer too, by the installed
    serving program.
    """
    from isocenter.emulators import serve
    from isocenter.home import open_home

    home = open_home()
    words = {
        "program": program or serve.PROGRAM,
        "serving_program": serving_program or serve.SERVING_PROGRAM,
    }
    if stop:
        ended = serve.stop(home, cloud)
        click.echo(f"The emulator of {cloud} {'has ended' if ended else 'does not run'}.")
    elif detach:
        _print(serve.detach(home, cloud, port=port, **words), as_json, detached=True)
    else:
        with serve.running(home, cloud, port=port, **words) as running:
            _print(running, as_json, detached=False)
            serve.wait_for_end()


def _print(running: "Running", as_json: bool, *, detached: bool) -> None:
    descriptor = running.descriptor
    if as_json:
        print_json(
            {
                "cloud": running.cloud,
                "target": descriptor.name,
                "descriptor": str(running.path),
                "endpoints": dict(descriptor.endpoints),
                "pid": running.pid,
                "state": "new" if running.is_new else "kept",
            }
        )
        return
    click.echo(f"Emulated {running.cloud} at {descriptor.endpoints[descriptor.provider]}: {running.path}")
    click.echo("State: new." if running.is_new else "State: as an earlier one left it.")
    click.echo(f"Next: isocenter pipeline run --target {descriptor.name} ...")
    click.echo(f"End it with isocenter emulate {running.cloud} --stop." if detached else "Ctrl-C ends it.")
