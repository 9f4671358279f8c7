"""The embedded target: a directory with its key, database and audit trail. No Terraform."""

import click

from isocenter.audit.recorded import recorded
from isocenter.cli.output import print_json
from isocenter.home import open_home


def deploy(as_json: bool) -> None:
    """Make the store of this machine, or find that it is there."""
    from isocenter.storage.database import open_database

    with recorded("deployment.deploy", "deployment:local") as record:
        home = open_home()
        home.site_secret()
        open_database(home).close()
        record.details["store"] = "ready"
    if as_json:
        print_json({"name": "local", "store": str(home.root)})
    else:
        click.echo(f"The target local is ready: {home.root} holds its key, database and audit trail.")
        click.echo("Use it: isocenter pipeline run --data DIR --labels FILE")
