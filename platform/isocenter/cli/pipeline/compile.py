"""``isocenter pipeline compile``: the pipeline in a service's own format."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json
from isocenter.cli.pipeline.request_options import request_options

if TYPE_CHECKING:
    from isocenter.home import Home
    from isocenter.pipelines.training_request import TrainingRequest
    from isocenter.targets import Target

_FORMATS = ("airflow", "azureml", "kubeflow", "local", "sagemaker", "vertex")


@click.command(
    epilog="""\b
Examples:
  isocenter pipeline compile --data /data/xrays --labels labels.csv --target aws-prod --out pipeline.json
  isocenter pipeline compile --data /data/xrays --target hospital-a --format airflow --out dags/

Nothing is run, asked or copied. `isocenter pipeline run --submit` compiles and hands over in one go."""
)
@request_options
@click.option("--target", default="local", show_default=True, help="Where it will run.")
@click.option(
    "--format", "format_", type=click.Choice(_FORMATS), help="Format.  [default: the target's own service's]"
)
@click.option("--out", type=click.Path(path_type=Path), help="File or folder to write.  [default: print it]")
@json_option
def command(target: str, format_: str | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Write the pipeline as SageMaker, Vertex AI, Azure ML, Kubeflow or Airflow take it."""
    from isocenter.cli.pipeline.request_options import build_request
    from isocenter.home import open_home
    from isocenter.pipelines.compilation import compile_pipeline
    from isocenter.storage.atomic import write_bytes
    from isocenter.targets import find_target

    home = open_home()
    place, request = find_target(home, target), build_request(**options)
    dataset = _known_dataset(home, place, request)
    spec, compiled = compile_pipeline(request, place, dataset, format_)
    path = out / compiled.file_name if out is not None and out.is_dir() else out
    if path is not None:
        write_bytes(path, compiled.text.encode())
    if as_json:
        where = None if path is None else str(path)
        keys = {step.name: step.cache_key for step in spec.steps}
        body = {"pipeline": spec.name, "format": compiled.format, "digest": compiled.digest}
        text = {} if path else {"text": compiled.text}
        print_json({**body, "file": where, "steps": keys, **text})
    elif path is None:
        click.echo(compiled.text, nl=False)
    else:
        click.echo(f"{path}  {compiled.digest}")


def _known_dataset(home: "Home", place: "Target", request: "TrainingRequest") -> str | None:
    """What these files gave when they were ingested; None where they have not been."""
    from isocenter.cli.pipeline.opening import open_pipeline, try_plan_here
    from isocenter.pipelines.observer import Silent
    from isocenter.targets.target import LOCAL

    pipeline = open_pipeline(home, LOCAL, request, Silent())
    try_plan_here(pipeline, place)
    found = pipeline.records.cache.get(pipeline.ingest_step().key({}))
    return None if found is None else str(found["dataset"])
