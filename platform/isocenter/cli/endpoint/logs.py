"""``isocenter endpoint logs``: what the serving program says."""

import click

from isocenter.cli.output import json_option, print_json


@click.command(
    epilog="""\b
Examples:
  isocenter endpoint logs chest
  isocenter endpoint logs chest --version chest-xray:2 --follow"""
)
@click.argument("name")
@click.option("--version", "reference", help="Of this version only (NAME:3).  [default: all]")
@click.option(
    "-f", "--follow", is_flag=True, help="Go on while the endpoint is there; of the newest version."
)
@json_option
def command(name: str, reference: str | None, follow: bool, as_json: bool) -> None:
    """Print the log of the versions behind NAME."""
    from isocenter.home import open_home
    from isocenter.rollouts.opening import open_operations, open_records

    home = open_home()
    operations = open_operations(home, open_records(home).require(name).target)
    lines = operations.driver.server.logs(name, reference, follow=follow and not as_json)
    if as_json:
        print_json({"endpoint": name, "version": reference, "lines": list(lines)})
        return
    for line in lines:
        click.echo(line)
