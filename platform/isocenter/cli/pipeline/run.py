"""``isocenter pipeline run``: from a folder of DICOM X-rays to a registered model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_yaml
from isocenter.cli.pipeline.request_options import request_options

if TYPE_CHECKING:
    from isocenter.domain.submission import Submission
    from isocenter.errors import IsocenterError
    from isocenter.home import Home
    from isocenter.pipelines.step import StepResult
    from isocenter.pipelines.training_request import TrainingRequest
    from isocenter.targets import Target


_REFUSED = 8
# Stands for the id that a run gets when it begins.
_NO_RUN = "00000000000000000000DRYRVN"
_NO_DATASET = "sha256:" + "0" * 64


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
    from isocenter.cli.pipeline.opening import try_plan_here, watched_pipeline
    from isocenter.errors import IsocenterError
    from isocenter.pipelines.executions import remember_local

    names: list[str] = []
    results: list[StepResult] = []
    try:
        with watched_pipeline(home, place, request) as (pipeline, runner):
            try_plan_here(pipeline, place)
            remember_local(home, pipeline.request, place.name, pipeline.fingerprint)
            steps = pipeline.steps()
            names = [step.name for step in steps]
            for result in runner.each(steps):
                results.append(result)  # noqa: PERF402 - those before a failure are told of
    except IsocenterError as error:
        _tell_how_far(home, names, results, error, as_json)
        raise
    _tell(home, place, request.name, results, as_json)


def _tell_how_far(
    home: "Home",
    names: "Sequence[str]",
    results: "Sequence[StepResult]",
    error: "IsocenterError",
    as_json: bool,
) -> None:
    """The table of steps of a pipeline that ended ill: which were done, which reused, which said no."""
    from isocenter.cli.pipeline.summary import print_steps
    from isocenter.pipelines.summary import rows_so_far

    if not results:
        return
    rows = rows_so_far(home, names, results, error)
    if as_json:
        error.facts["steps"] = rows
    else:
        print_steps(rows)


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
    from isocenter.backends.cost import estimate_costs
    from isocenter.cli.pipeline.opening import try_plan_here, watched_pipeline
    from isocenter.pipelines.handing_over import HandingOver
    from isocenter.pipelines.one_step import results_so_far
    from isocenter.pipelines.reuse import origins

    with watched_pipeline(home, place, request) as (pipeline, runner):
        try_plan_here(pipeline, place)
        execution = HandingOver(pipeline, runner, place).submit()
        done = {} if execution is not None else results_so_far(pipeline.records, pipeline.steps())
    reused = {step: origin.sentence(step) for step, origin in origins(home, done).items()}
    cost = estimate_costs(place.descriptor, pipeline.machines)
    if as_json:
        found = None if execution is None else {"id": execution.id, "external_id": execution.external_id}
        body = {"model": request.name, "target": place.name, "execution": found, "reused": reused}
        print_json({**body, "estimated_cost": None if cost is None else cost.as_json()})
    elif execution is None:
        click.echo("Nothing to do: every step has been done for these inputs.")
        for sentence in reused.values():
            click.echo(f"Reused  {sentence}")
    else:
        click.echo(
            f"Execution {execution.id} of {execution.pipeline} on {place.name}: {execution.external_id}"
        )
        if cost is not None:
            click.echo(f"Cost      {cost.sentence}")
        click.echo(f"Next      isocenter pipeline status {execution.id}")


def _plan_only(home: "Home", place: "Target", request: "TrainingRequest") -> Mapping[str, Any]:
    """The train job's request; where the data is not ingested yet, a placeholder stands for the dataset."""
    from isocenter.backends.cost import estimate_costs
    from isocenter.cli.pipeline.opening import open_pipeline, try_plan_here
    from isocenter.domain.run import RunId
    from isocenter.pipelines.observer import Silent

    pipeline = open_pipeline(home, place, request, Silent())
    try_plan_here(pipeline, place)
    step = pipeline.ingest_step()
    ingested = pipeline.records.cache.get(step.key({})) or {"dataset": _NO_DATASET}
    job = pipeline.train_job({"ingest": ingested})
    submission = pipeline.launcher.plan(job, RunId(_NO_RUN))
    cost = estimate_costs(place.descriptor, pipeline.machines)
    return {
        "target": place.name,
        "backend": submission.backend,
        "run": submission.run,
        "dataset_is_known": "images" in ingested,
        "placeholders": _placeholders("images" in ingested),
        "digest": submission.digest,
        "estimated_cost": None if cost is None else cost.as_json(),
        "policy": _verdict(submission, place),
        "request": dict(submission.request),
    }


def _placeholders(dataset_is_known: bool) -> dict[str, str]:
    """What stands in the request for something that isn't known yet; all else is as it will be sent."""
    run = {
        _NO_RUN: "the run's id, which it gets when it begins; with it, the digest of what is sent is another"
    }
    digest = _NO_DATASET.removeprefix("sha256:")
    return run if dataset_is_known else run | {digest: "the dataset's digest, which ingest makes"}


def _verdict(submission: "Submission", place: "Target") -> Mapping[str, Any] | None:
    """What the rules for jobs say; None for this machine, which no rule is about."""
    descriptor = place.descriptor
    if descriptor is None:
        return None
    from isocenter.policy import check

    return check(submission, descriptor).as_json()
