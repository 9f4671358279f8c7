"""``make synth``: settings to Terraform's JSON."""

from pathlib import Path

import click

from isocenter.cli.output import json_option, print_json
from isocenter_infra.verbs.options import deployment_options


@click.command()
@deployment_options
@click.option("--whole-bindings", is_flag=True, help="Load the bindings whole: slower, the same bytes.")
@json_option
def command(
    cloud: str, name: str, deployments: Path, outdir: Path, whole_bindings: bool, as_json: bool
) -> None:
    """Synthesize a deployment's stack to cdk.tf.json. No cloud, no credentials."""
    from dataclasses import replace

    from isocenter_infra.change.intent import STATE
    from isocenter_infra.synthesis import synthesize
    from isocenter_infra.verbs.audited import audited
    from isocenter_infra.verbs.screen import notice

    with audited("deployment.synth", cloud, name, deployments, outdir) as (intent, details):
        synthesis = synthesize(intent.deployment, notice, whole_bindings=whole_bindings)
        path = synthesis.write(outdir)
        details["document"] = synthesis.digest
        # A bootstrap's stack that lies here is of the settings of then.
        if replace(intent, stack=STATE).folder.is_dir():
            synthesize(intent.deployment, notice, stack=STATE, whole_bindings=whole_bindings).write(outdir)
    resources = sum(len(named) for named in synthesis.document["resource"].values())
    if as_json:
        print_json({"path": str(path), "digest": synthesis.digest, "resources": resources})
    else:
        click.echo(f"{path}: {resources} resources, {synthesis.digest}")
