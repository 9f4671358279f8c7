"""``isocenter endpoint collect``: denials into the audit trail, captured features to the target."""

import click

from isocenter.cli.output import json_option, print_json


@click.command(
    epilog="""\b
Example:
  isocenter endpoint collect chest"""
)
@click.argument("name")
@json_option
def command(name: str, as_json: bool) -> None:
    """Audit who was not let in at NAME, and ship captured features to the target's bucket.

    The supervisor of an endpoint on this machine does it every minute by itself, and when the endpoint ends.
    Where a cloud serves, its own log keeps denials. What was shipped is removed here; without a bucket,
    features stay where they are, within their bound. Killed at any time, it goes on when it is repeated.
    """
    from dataclasses import asdict

    from isocenter.collection import collect
    from isocenter.home import open_home
    from isocenter.rollouts.opening import open_records
    from isocenter.servers.base import load_server
    from isocenter.servers.keeping import alone, kept_by
    from isocenter.targets.catalogue import find_target

    home = open_home()
    records = open_records(home)
    past = records.history(name, 1)
    target = find_target(home, past[0].rollout.target if past else records.require(name).target)
    server = load_server(target.backend, home, target.settings)
    with alone(home, name):
        found = collect(home, target, name, kept_by(server, name))
    if as_json:
        print_json({"endpoint": name, **asdict(found)})
        return
    click.echo(f"{name}: {found.denials} denials audited, {found.files} files of features shipped.")
    if found.left:
        click.echo(f"{found.left} files stay: {target.name} has no bucket for data.")
