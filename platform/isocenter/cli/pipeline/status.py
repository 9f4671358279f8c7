"""``isocenter pipeline status``: where the steps of a pipeline are."""

from typing import TYPE_CHECKING

import click

from isocenter.cli.output import json_option, print_json, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from isocenter.home import Home
    from isocenter.orchestrators.base import StepStatus
    from isocenter.pipelines.executions import PipelineExecution


@click.command(
    epilog="""\b
Examples:
  isocenter pipeline status chest-xray
  isocenter pipeline status 01JCY4 --json"""
)
@click.argument("name", metavar="EXECUTION|MODEL")
@json_option
def command(name: str, as_json: bool) -> None:
    """Show the steps of a pipeline: by its id (or the beginning of it), or a model's newest."""
    from isocenter.home import open_home
    from isocenter.pipelines.executions import ExecutionRecords

    home = open_home()
    execution = ExecutionRecords(home).find(name)
    steps = _steps(home, execution)
    if as_json:
        print_json(
            {
                "id": execution.id,
                "model": execution.model,
                "target": execution.target,
                "format": execution.format,
                "external_id": execution.external_id,
                "collected": execution.collected,
                "steps": [
                    {
                        "step": step.name,
                        "state": step.stage,
                        "detail": step.detail,
                        "started_at": step.started_at,
                        "ended_at": step.ended_at,
                    }
                    for step in steps
                ],
            }
        )
        return
    rows = [(s.name, s.stage, _clock(s.started_at), _clock(s.ended_at), s.detail) for s in steps]
    title = f"Pipeline {execution.id} of {execution.model} on {execution.target}"
    print_table(title, ("step", "state", "begun (UTC)", "ended (UTC)", "detail"), rows)


def _steps(home: "Home", execution: "PipelineExecution") -> "Sequence[StepStatus]":
    from isocenter.cli.pipeline.opening import open_pipeline
    from isocenter.pipelines.observer import Silent
    from isocenter.pipelines.request_document import read_document
    from isocenter.pipelines.step_table import steps_here, steps_there
    from isocenter.targets import find_target

    place = find_target(home, execution.target)
    if execution.format != "local":
        return steps_there(execution, place)
    return steps_here(open_pipeline(home, place, read_document(execution.request), Silent()))


def _clock(moment: object) -> str:
    return "" if moment is None else str(moment)[:19]
