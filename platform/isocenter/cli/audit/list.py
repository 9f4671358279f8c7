"""``isocenter audit list``: the newest audit records."""

import click

from isocenter.cli.output import json_option, print_json, print_table


@click.command(
    epilog="""\b
Examples:
  isocenter audit list
  isocenter audit list --object model:cxr:3
  isocenter audit list --action model.promote --limit 500 --json"""
)
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1), help="How many at most.")
@click.option("--action", help="Only this action, e.g. model.promote.")
@click.option("--object", "object_", help="Only what was done to this object, e.g. model:cxr:3.")
@json_option
def command(limit: int, action: str | None, object_: str | None, as_json: bool) -> None:
    """List who did what to which object, the newest first. `isocenter audit verify` proves the list."""
    from isocenter.audit.trail import AuditTrail
    from isocenter.home import open_home
    from isocenter.storage.database import open_database

    home = open_home()
    records = AuditTrail(home, open_database(home)).list(limit, action=action, object_=object_)
    if as_json:
        print_json([record.as_json() for record in records])
        return
    if not records:
        click.echo("No audit records.")
        return
    rows = (
        (r.sequence, r.at[:19].replace("T", " "), r.actor, r.action, r.object, r.outcome, r.details)
        for r in records
    )
    columns = ("#", "at (UTC)", "actor", "action", "object", "outcome", "details")
    print_table("Audit trail", columns, rows)
