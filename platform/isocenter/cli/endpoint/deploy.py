"""``isocenter endpoint deploy``: a version behind an endpoint."""

from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.endpoint.options import dry_run_option, gate_options, reason_option, size_options
from isocenter.cli.output import json_option

if TYPE_CHECKING:
    from isocenter.domain.model import Alias
    from isocenter.rollouts.operations import Operations, Planned


@click.command(
    epilog="""\b
Examples:
  isocenter endpoint deploy chest chest-xray@champion --reason "first clinical endpoint"
  isocenter endpoint deploy chest chest-xray:2 --canary 10 --reason "trained on site B"
  isocenter endpoint deploy chest chest-xray:2 --canary 10 --max-score-shift 0.05 --promote --reason ...
  isocenter endpoint deploy chest chest-xray:2 --shadow --reason "compare first"
  isocenter endpoint deploy chest                (go on with what was interrupted; start it again)

Exit codes: 3 bad input, 4 a gate failed and 5 a version did not get ready (in both cases the last good
version serves again), 8 refused by a rule."""
)
@click.argument("name")
@click.argument("model", required=False)
@click.option("--target", help="Where (`isocenter target list`).  [default: local, or where it is]")
@click.option("--canary", type=click.IntRange(1, 99), help="Percent of the requests for the new version.")
@click.option("--shadow", is_flag=True, help="The new version gets copies; its answers are only compared.")
@click.option(
    "--as",
    "alias",
    type=click.Choice(["champion"]),
    help="A new endpoint is clinical: only approved versions answer.  [default: by MODEL@champion]",
)
@gate_options
@size_options
@reason_option
@dry_run_option
@json_option
def command(
    name: str, model: str | None, target: str | None, dry_run: bool, as_json: bool, **options: Any
) -> None:
    """Put MODEL behind the endpoint NAME, in the old version's place or beside it.

    The old version answers until the new one is ready, and then ends after its last request. MODEL is NAME
    (its newest version), NAME:3, NAME@champion or the beginning of a digest (sha256:...). The same command,
    given again, goes on where it was interrupted. For research, not diagnosis, unless your own rules say so.
    """
    from isocenter.cli.endpoint.telling import finish, watcher
    from isocenter.home import open_home
    from isocenter.rollouts.opening import open_operations, open_records

    if options["canary"] is not None and options["shadow"]:
        raise click.UsageError("--canary and --shadow exclude each other.")
    home = open_home()
    known = open_records(home).endpoint(name)
    where = target or (known.target if known else "local")
    operations = open_operations(home, where, watcher(quiet=as_json))
    planned = _plan(operations, name, model, options, dry_run)
    finish(operations, planned, dry_run=dry_run, as_json=as_json)


def _plan(
    operations: "Operations", name: str, model: str | None, options: dict[str, Any], trial: bool
) -> "Planned":
    from isocenter.audit.actor import current_actor
    from isocenter.cli.endpoint.options import build_changes, build_gates
    from isocenter.domain.rollout import Rollout, Scaling, Variant
    from isocenter.domain.run import new_run_id
    from isocenter.rollouts.bounds import bounds_of
    from isocenter.rollouts.planning import Wish

    if model is None:
        return operations.plan_again(name, Wish(current_actor(), options["reason"] or "again", trial=trial))
    newest = operations.records.newest(name)
    bounds = bounds_of(operations.driver.target, name) or Scaling()
    plain = Rollout(new_run_id(), "none", "none", (Variant("none:1", "", ""),), scaling=bounds)
    wish = Wish(
        actor=current_actor(),
        reason=options["reason"],
        canary=options["canary"],
        shadow=options["shadow"],
        gates=build_gates(options),
        promotes=options["promote"],
        alias=_alias(model, options["alias"], is_new=newest is None),
        changes=build_changes(options, newest.rollout if newest else plain),
        trial=trial,
    )
    return operations.plan_deploy(name, operations.registry.get(model), wish)


def _alias(model: str, asked: str | None, *, is_new: bool) -> "Alias | None":
    """What the endpoint stands for: as asked, or as the reference of a new endpoint's first version says."""
    from isocenter.domain.model import Alias
    from isocenter.registry.reference import parse_reference
    from isocenter.rollouts.approval import CLINICAL

    if asked:
        return Alias(asked)
    named = parse_reference(model).alias
    return named if is_new and named in CLINICAL else None
