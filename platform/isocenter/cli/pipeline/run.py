"""``isocenter pipeline run``: from a folder of DICOM X-rays to a registered model."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_yaml
from isocenter.cli.pipeline.request_options import request_options

if TYPE_CHECKING:
    from isocenter.domain.submission import Submission
    from isocenter.home import Home
    from isocenter.pipelines.step import StepResult
    from isocenter.pipelines.training_request import TrainingRequest
    from isocenter.targets import Target


_REFUSED = 8


@click.command(
    epilog="""\b
Examples:
  isocenter pipeline run --data /data/xrays --labels /data/labels.csv
  isocenter pipeline run --data /data/by-class --classes normal,effusion --name effusion --plan densenet121
  isocenter pipeline run --data /data/xrays --labels labels.csv --set network.name=resnet18 --dry-run
  isocenter pipeline run --data /data/xrays --labels labels.csv --target aws-prod --gpu l4 --submit

Run the same command again after a stop of any kind: it continues. With nothing new it does nothing.
Exit codes: 3 bad input, 4 the gate refused the model (nothing is registered), 5 a job failed,
7 this machine lacks something, 8 a rule for jobs refuses the request, 130 interrupted."""
)
@request_options
@click.option(
    "--target", default="local", show_default=True, help="Where the jobs run (`isocenter target list`)."
)
@click.option(
    "--submit",
    is_flag=True,
    help="Hand train, evaluate, gate and register to the target's own pipelines, and return.",
)
@click.option(
    "--dry-run", is_flag=True, help="Print the train job's request and its estimated cost, and do nothing."
)
@click.option("--yaml", "as_yaml", is_flag=True, help="With --dry-run: as YAML instead of JSON.")
@json_option
def command(target: str, submit: bool, dry_run: bool, as_yaml: bool, as_json: bool, **options: Any) -> None:
    """Ingest, validate, train, evaluate, gate and register, each step only if its inputs are new."""
    from isocenter.cli.pipeline.request_options import build_request
    from isocenter.home import open_home
    from isocenter.targets import find_target

    if as_yaml and not dry_run:
        raise click.UsageError("--yaml goes with --dry-run.")
    home = open_home()
    place = find_target(home, target)
    request = build_request(**options)
    if dry_run:
        planned = _plan_only(home, place, request)
        print_yaml(planned) if as_yaml else print_json(planned)
        if planned["policy"] and planned["policy"]["refused"]:
            raise click.exceptions.Exit(_REFUSED)
    elif submit:
        _submit(home, place, request, as_json)
    else:
        _run(home, place, request, as_json)


def _run(home: "Home", place: "Target", request: "TrainingRequest", as_json: bool) -> None:
    from isocenter.cli.pipeline.opening import watched_pipeline
    from isocenter.pipelines.executions import remember_local

    with watched_pipeline(home, place, request) as (pipeline, runner):
        remember_local(home, request, place.name, pipeline.fingerprint)
        results = runner.run(pipeline.steps())
    _tell(home, place, request.name, results, as_json)


def _tell(home: "Home", place: "Target", name: str, results: "Sequence[StepResult]", as_json: bool) -> None:
    from isocenter.cli.carrying import carry_now
    from isocenter.cli.pipeline.summary import print_summary
    from isocenter.pipelines.summary import summarise
    from isocenter.registry.opening import open_registry

    summary = summarise(home, name, results)
    summary["mirrors"] = [] if place.descriptor is None else carry_now(home, open_registry(home))
    if as_json:
        print_json(summary)
    else:
        print_summary(summary)


def _submit(home: "Home", place: "Target", request: "TrainingRequest", as_json: bool) -> None:
    from isocenter.cli.pipeline.opening import watched_pipeline
    from isocenter.pipelines.handing_over import HandingOver

    with watched_pipeline(home, place, request) as (pipeline, runner):
        execution = HandingOver(pipeline, runner, place).submit()
    if as_json:
        found = None if execution is None else {"id": execution.id, "external_id": execution.external_id}
        print_json({"model": request.name, "target": place.name, "execution": found})
    elif execution is None:
        click.echo("Nothing to do: every step has been done for these inputs.")
    else:
        click.echo(
            f"Execution {execution.id} of {execution.pipeline} on {place.name}: {execution.external_id}"
        )
        click.echo(f"Next      isocenter pipeline status {execution.id}")


def _plan_only(home: "Home", place: "Target", request: "TrainingRequest") -> Mapping[str, Any]:
    """The train job's request; where the data is not ingested yet, a placeholder stands for the dataset."""
    from isocenter.backends.cost import estimate_cost
    from isocenter.cli.pipeline.opening import open_pipeline
    from isocenter.domain.run import RunId
    from isocenter.pipelines.observer import Silent

    pipeline = open_pipeline(home, place, request, Silent())
    step = pipeline.ingest_step()
    ingested = pipeline.records.cache.get(step.key({})) or {"dataset": "sha256:" + "0" * 64}
    job = pipeline.train_job({"ingest": ingested})
    submission = pipeline.launcher.plan(job, RunId("0" * 26))
    cost = estimate_cost(place.descriptor, job.compute)
    return {
        "target": place.name,
        "backend": submission.backend,
        "run": submission.run,
        "dataset_is_known": "images" in ingested,
        "digest": submission.digest,
        "estimated_cost": None if cost is None else asdict(cost),
        "policy": _verdict(submission, place),
        "request": dict(submission.request),
    }


def _verdict(submission: "Submission", place: "Target") -> Mapping[str, Any] | None:
    """What the rules for jobs say; None for this machine, which no rule is about."""
    descriptor = place.descriptor
    if descriptor is None:
        return None
    from isocenter.policy import check

    return check(submission, descriptor).as_json()
