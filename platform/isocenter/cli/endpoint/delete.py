"""``isocenter endpoint delete``: no endpoint any more."""

import click

from isocenter.cli.endpoint.options import reason_option
from isocenter.cli.output import json_option, print_json


@click.command(
    epilog="""\b
Example:
  isocenter endpoint delete chest --reason "moved to hospital-a" """
)
@click.argument("name")
@reason_option
@json_option
def command(name: str, reason: str, as_json: bool) -> None:
    """End the endpoint NAME after its last requests. History, logs and captured features stay."""
    from isocenter.audit.actor import current_actor
    from isocenter.cli.endpoint.telling import watcher
    from isocenter.home import open_home
    from isocenter.rollouts.opening import open_operations, open_records
    from isocenter.rollouts.planning import Wish

    home = open_home()
    target = open_records(home).require(name).target
    operations = open_operations(home, target, watcher(quiet=as_json))
    operations.delete(name, Wish(current_actor(), reason))
    if as_json:
        print_json({"endpoint": name, "deleted": True})
    else:
        click.echo(f"{name} is gone; isocenter endpoint status {name} still shows its history.")
