"""``isocenter audit export``: records and signed heads, to keep off this machine."""

from pathlib import Path

import click

from isocenter.cli.output import json_option, print_json


@click.command(
    epilog="""\b
Example:
  isocenter audit export --out /mnt/usb/audit-2026-11"""
)
@click.option(
    "--out",
    "directory",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Directory to write to; made if absent.",
)
@json_option
def command(directory: Path, as_json: bool) -> None:
    """Write records.jsonl, heads.jsonl and signing.pub to a directory that you then keep elsewhere.

    Heads that are out of reach are what proves the trail even against somebody who has this machine whole.
    """
    from isocenter.audit.trail import AuditTrail
    from isocenter.home import open_home
    from isocenter.storage.database import open_database

    home = open_home()
    records = AuditTrail(home, open_database(home)).export(directory)
    if as_json:
        print_json({"directory": str(directory), "records": records})
        return
    click.echo(f"{records} records are in {directory}, with signed heads and the public key.")
    click.echo("Keep the directory off this machine. To check against it later:")
    click.echo(
        f"  isocenter audit verify --heads {directory}/heads.jsonl --public-key {directory}/signing.pub"
    )
