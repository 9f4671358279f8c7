"""``make deploy``: the same as plan, then exactly that plan is applied."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from isocenter.cli.output import json_option, print_json
from isocenter_infra.verbs.options import deployment_options, emulate_option

if TYPE_CHECKING:
    from isocenter_infra.change.intent import Intent
    from isocenter_infra.change.plan import SavedPlan
    from isocenter_infra.change.surroundings import Surroundings


@click.command()
@deployment_options
@emulate_option
@click.option("--plan", "planned", type=click.Path(path_type=Path), help="Apply the plan in this folder.")
@click.option("--digest", default="", help="Digest of the plan that was approved.")
@click.option("--auto-approve", is_flag=True, help="Don't ask for the deployment's name (workflows).")
@json_option
def command(
    cloud: str,
    name: str,
    deployments: Path,
    outdir: Path,
    emulate: bool,
    planned: Path | None,
    digest: str,
    auto_approve: bool,
    as_json: bool,
) -> None:
    """Plan a deployment, ask for its name, apply that plan, and write its descriptor."""
    from isocenter.errors import InputError
    from isocenter_infra.change.apply import apply_plan
    from isocenter_infra.verbs import local, screen
    from isocenter_infra.verbs.audited import audited, record_begin
    from isocenter_infra.verbs.progress import progress, steps

    if cloud == "local":
        local.deploy(as_json)
        return
    asked = (cloud, name, deployments, outdir)
    with audited("deployment.deploy", *asked, emulate=emulate) as (intent, details):
        if digest and planned is None:
            raise InputError(
                "A digest was approved, but not said where its plan lies: nothing was done.",
                hint=f"PLAN={intent.plans} with DIGEST={digest}",
            )
        if planned is not None:
            saved, around = _reopen(intent, planned, digest)
        else:
            saved, around = _plan(intent, quiet=as_json)
        details |= {"plan": saved.record.digest, "changes": dict(saved.record.changes)}
        if not as_json:
            screen.show_left_out(around.left_out)
            screen.show_plan(saved)
        _approve(intent, saved, auto_approve)
        record_begin("deployment.deploy", intent.about, details)
        with progress("Applying", total=steps(saved.changes), quiet=as_json) as listen:
            descriptor = apply_plan(intent, saved, around, listen)
        if emulate:
            _require_nothing_left(intent, around, quiet=as_json)
    if as_json:
        print_json(descriptor.model_dump(mode="json"))
        return
    click.echo(f"Deployed {intent.target}. Descriptor: {intent.descriptor}")
    click.echo(f"Look at it: isocenter target show {intent.target}")


def _plan(intent: "Intent", *, quiet: bool) -> "tuple[SavedPlan, Surroundings]":
    from isocenter_infra.change.apply import plan_change
    from isocenter_infra.change.check import synthesize_and_check
    from isocenter_infra.verbs import screen
    from isocenter_infra.verbs.progress import progress
    from isocenter_infra.verbs.ready import ready_emulator

    checked = synthesize_and_check(intent, screen.notice)
    if not quiet:
        screen.show_checks(intent, checked)
    checked.require()
    ready_emulator(intent, quiet=quiet)
    with progress("Planning", quiet=quiet) as listen:
        return plan_change(intent, checked, screen.notice, listen, to_apply=True)


def _reopen(intent: "Intent", planned: Path, digest: str) -> "tuple[SavedPlan, Surroundings]":
    from isocenter.errors import InputError
    from isocenter_infra.change.apply import reopen_plan
    from isocenter_infra.verbs import screen

    if intent.plans.resolve() not in (planned.resolve(), planned.resolve().parent):
        raise InputError(f"The plan of {intent.target} lies in {intent.plans}, not in {planned}.")
    return reopen_plan(intent, digest, screen.notice)


def _require_nothing_left(intent: "Intent", around: "Surroundings", *, quiet: bool) -> None:
    """Plan the same document again: what the emulator holds must be what was asked for."""
    from isocenter.errors import IntegrityError
    from isocenter_infra.change.apply import count_left
    from isocenter_infra.verbs.progress import progress

    with progress("Planning again", quiet=quiet) as listen:
        left = count_left(intent, around, listen)
    if left:
        raise IntegrityError(
            f"A second plan would change {left} resources: the emulator holds something else.",
            hint="emulator/aws_limits.py lists what it can't hold.",
        )
    click.echo("A second plan is empty.", err=True)


def _approve(intent: "Intent", saved: "SavedPlan", auto_approve: bool) -> None:
    from isocenter.errors import PolicyError

    if auto_approve or saved.is_empty:
        return
    if not sys.stdin.isatty():
        raise PolicyError(
            "Nothing was applied: nobody is here to type the deployment's name.",
            hint="In a workflow that was approved: AUTO_APPROVE=1 with PLAN= and DIGEST=.",
        )
    typed = click.prompt(f"Type the deployment's name ({intent.target}) to apply this plan", default="")
    if typed.strip() != intent.target:
        raise PolicyError("Nothing was applied: the name wasn't typed.")
