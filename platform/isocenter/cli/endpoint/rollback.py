"""``isocenter endpoint rollback``: the last good version again."""

import click

from isocenter.cli.endpoint.options import dry_run_option, reason_option
from isocenter.cli.output import json_option


@click.command(
    epilog="""\b
Examples:
  isocenter endpoint rollback chest --reason "scores of site B are off"
  make rollback NAME=chest REASON="scores of site B are off" """
)
@click.argument("name")
@reason_option
@dry_run_option
@json_option
def command(name: str, reason: str, dry_run: bool, as_json: bool) -> None:
    """Give all of the traffic of NAME back to the version that had it last. No request is lost.

    A step that is under way is replaced. After another rollback, the version before that one comes back.
    """
    from isocenter.audit.actor import current_actor
    from isocenter.cli.endpoint.telling import finish, watcher
    from isocenter.home import open_home
    from isocenter.rollouts.opening import open_operations, open_records
    from isocenter.rollouts.planning import Wish

    home = open_home()
    target = open_records(home).require(name).target
    operations = open_operations(home, target, watcher(quiet=as_json))
    planned = operations.plan_rollback(name, Wish(current_actor(), reason, trial=dry_run))
    finish(operations, planned, dry_run=dry_run, as_json=as_json)
