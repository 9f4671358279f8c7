"""``isocenter pipeline collect``: register here the model that a service's pipeline left."""

from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json

if TYPE_CHECKING:
    from isocenter.home import Home
    from isocenter.pipelines.executions import PipelineExecution


@click.command(
    epilog="""\b
Examples:
  isocenter pipeline collect chest-xray
  isocenter pipeline collect 01JCY4 --json

Every file is checked against its digest, and the gate is applied again: what a service says is a claim."""
)
@click.argument("name", metavar="EXECUTION|MODEL")
@json_option
def command(name: str, as_json: bool) -> None:
    """Fetch what the pipeline left on its target, and register it."""
    from isocenter.cli.carrying import carry_now
    from isocenter.cli.pipeline.summary import print_summary
    from isocenter.home import open_home
    from isocenter.pipelines.executions import ExecutionRecords
    from isocenter.pipelines.summary import summarise
    from isocenter.registry.opening import open_registry

    home = open_home()
    records = ExecutionRecords(home)
    execution = records.find(name)
    summary = summarise(home, execution.model, _collect(home, execution))
    records.collected(execution)
    summary["mirrors"] = carry_now(home, open_registry(home))
    if as_json:
        print_json(summary)
    else:
        print_summary(summary)


def _collect(home: "Home", execution: "PipelineExecution") -> Any:
    from isocenter.cli.pipeline.opening import watched_pipeline
    from isocenter.compilers.container import described, registration_uri
    from isocenter.errors import InputError
    from isocenter.pipelines.request_document import read_document
    from isocenter.pipelines.source_identity import training_identity
    from isocenter.pipelines.take_up import TakeUp
    from isocenter.targets import find_target
    from isocenter.targets.target import LOCAL

    if execution.format == "local":
        raise InputError(f"The pipeline of {execution.model} runs here; it registers its model itself.")
    if execution.code != training_identity():
        raise InputError(
            "The pipeline was submitted by another version of Isocenter, whose training program is another.",
            hint="Collect with that version, or submit again.",
        )
    descriptor = described(find_target(home, execution.target).descriptor, execution.format, "")
    with watched_pipeline(home, LOCAL, read_document(execution.request)) as (pipeline, runner):
        take_up = TakeUp(execution, pipeline.records, pipeline, runner.observer)
        return take_up.run(descriptor, registration_uri(descriptor, execution.pipeline, execution.id))
