"""``isocenter model promote``: approve a version and move an alias to it."""

import click

from isocenter.cli.output import json_option, print_json


@click.command(
    epilog="""\b
Example:
  isocenter model promote cxr:3 --to champion --reason "Beats cxr:2 on site B; reviewed 2026-11-20" """
)
@click.argument("reference")
@click.option(
    "--to",
    "alias",
    required=True,
    type=click.Choice(["champion", "challenger", "shadow"]),
    help="Which alias to move.",
)
@click.option("--reason", required=True, help="Why; kept in registry and audit trail, not sent to mirrors.")
@json_option
def command(reference: str, alias: str, reason: str, as_json: bool) -> None:
    """Approve that REFERENCE takes an alias, and move the alias there.

    REFERENCE is NAME (its newest version), NAME:3, NAME@challenger or the beginning of a digest (sha256:...).
    Refused (exit code 8) while the model card misses a required field, or without a reason. The approval is
    recorded for the current user, or for $ISOCENTER_ACTOR.
    """
    from isocenter.audit.actor import current_actor
    from isocenter.cli.carrying import carry_now, tell_carried
    from isocenter.domain.model import Alias
    from isocenter.home import open_home
    from isocenter.registry.opening import open_registry

    home = open_home()
    registry = open_registry(home)
    approval = registry.promote(reference, Alias(alias), actor=current_actor(), reason=reason)
    mirrors = carry_now(home, registry, briefly=True)
    if as_json:
        print_json(
            {
                "model": approval.model,
                "number": approval.number,
                "alias": approval.alias,
                "actor": approval.actor,
                "reason": approval.reason,
                "at": approval.at.isoformat(),
                "mirrors": mirrors,
            }
        )
        return
    click.echo(f"{approval.model}:{approval.number} is {approval.alias}, approved by {approval.actor}.")
    tell_carried(mirrors)
