"""``make plan``: synthesize, check, and plan; nothing is changed."""

from pathlib import Path

import click

from isocenter.cli.output import json_option, print_json
from isocenter_infra.verbs.options import deployment_options, emulate_option


@click.command()
@deployment_options
@emulate_option
@json_option
def command(cloud: str, name: str, deployments: Path, outdir: Path, emulate: bool, as_json: bool) -> None:
    """Synthesize, check schema, parity and policy, and save Terraform's plan with its digest."""
    from isocenter_infra.change.apply import plan_change
    from isocenter_infra.change.check import synthesize_and_check
    from isocenter_infra.change.plan import as_json as plan_as_json
    from isocenter_infra.verbs import screen
    from isocenter_infra.verbs.audited import audited
    from isocenter_infra.verbs.progress import progress
    from isocenter_infra.verbs.ready import ready_emulator

    asked = (cloud, name, deployments, outdir)
    with audited("deployment.plan", *asked, emulate=emulate) as (intent, details):
        checked = synthesize_and_check(intent, screen.notice)
        details["document"] = checked.digest
        if not as_json:
            screen.show_checks(intent, checked)
        checked.require()
        ready_emulator(intent, quiet=as_json)
        with progress("Planning", quiet=as_json) as listen:
            saved, around = plan_change(intent, checked, screen.notice, listen, to_apply=False)
        details |= {"plan": saved.record.digest, "changes": dict(saved.record.changes)}
    if as_json:
        print_json(plan_as_json(saved))
        return
    screen.show_left_out(around.left_out)
    screen.show_plan(saved)
