"""``isocenter pipeline run``: from a folder of DICOM X-rays to a registered model."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, progress_console
from isocenter.cli.paths import INPUT_PATH

if TYPE_CHECKING:
    from isocenter.domain.training_job import Compute
    from isocenter.home import Home
    from isocenter.pipelines.training_request import TrainingRequest
    from isocenter.targets import Target


@click.command(
    epilog="""\b
Examples:
  isocenter pipeline run --data /data/xrays --labels /data/labels.csv
  isocenter pipeline run --data /data/by-class --classes normal,effusion --name effusion --plan densenet121
  isocenter pipeline run --data /data/xrays --labels labels.csv --set network.name=resnet18 --dry-run

Run the same command again after a stop of any kind: it continues. With nothing new it does nothing.
Exit codes: 3 bad input, 4 the gate refused the model (nothing is registered), 5 a job failed,
7 this machine lacks something, 130 interrupted."""
)
@click.option("--data", required=True, type=INPUT_PATH, help="Folder of DICOM files, or a DICOMDIR.")
@click.option("--labels", type=INPUT_PATH, help="Table of labels; without it, folder names.")
@click.option(
    "--classes",
    default="normal,pneumonia",
    show_default=True,
    help="Names of the two classes, the negative one first.",
)
@click.option("--name", default="chest-xray", show_default=True, help="The model's name in the registry.")
@click.option("--plan", default="small", show_default=True, help="Training plan: built-in name or YAML file.")
@click.option("--epochs", type=click.IntRange(1), help="Epochs at most, instead of the plan's.")
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed, instead of the plan's.")
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Another field of the plan, e.g. budget.batch_size=32. May be repeated.",
)
@click.option("--card", type=INPUT_PATH, help="YAML file with the model card's fields that you fill.")
@click.option(
    "--acceptance",
    type=INPUT_PATH,
    help="YAML file of what the model must reach.  [default: modest floors]",
)
@click.option(
    "--threshold-rule",
    default="youden",
    show_default=True,
    help="How the decision threshold is chosen: youden, sensitivity>=X or specificity>=X.",
)
@click.option(
    "--target", default="local", show_default=True, help="Where the jobs run (`isocenter target list`)."
)
@click.option("--gpu", default="", metavar="SIZE[xN]", help="GPUs of each machine, e.g. l4 or a100-80x8.")
@click.option("--nodes", type=click.IntRange(1), default=1, help="Machines that train together.")
@click.option("--spot", is_flag=True, help="Interruptible machines; training resumes from its checkpoint.")
@click.option("--max-runtime", default="", metavar="TIME", help="Stop a job after this long, e.g. 6h.")
@click.option(
    "--image", default="", metavar="REF@sha256:...", help="Training image.  [default: the target's]"
)
@click.option("--threads", type=click.IntRange(1), help="CPU threads of the jobs.  [default: all cores]")
@click.option("--processes", type=click.IntRange(1), help="Processes that read files.  [default: one a core]")
@click.option("--dry-run", is_flag=True, help="Print the train job's request as JSON and do nothing.")
@json_option
def command(target: str, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Ingest, validate, train, evaluate, gate and register, each step only if its inputs are new."""
    from isocenter.home import open_home
    from isocenter.targets import find_target

    home = open_home()
    place = find_target(home, target)
    request = _request(home, **options)
    if dry_run:
        print_json(_plan_only(home, place, request))
        return
    from isocenter.cli.pipeline.summary import print_summary
    from isocenter.pipelines.summary import summarise

    results = _run(home, place, request)
    summary = summarise(home, request.name, results)
    if as_json:
        print_json(summary)
    else:
        print_summary(summary)


def _request(
    home: "Home",
    *,
    data: Path,
    labels: Path | None,
    classes: str,
    name: str,
    plan: str,
    epochs: int | None,
    seed: int | None,
    settings: Sequence[str],
    card: Path | None,
    acceptance: Path | None,
    threshold_rule: str,
    threads: int | None,
    processes: int | None,
    gpu: str,
    nodes: int,
    spot: bool,
    max_runtime: str,
    image: str,
) -> "TrainingRequest":
    from isocenter.cards import read_card_file
    from isocenter.cli.pipeline.plan_override import override
    from isocenter.domain.training_plan import load_plan, parse_plan
    from isocenter.pipelines.acceptance import load_acceptance
    from isocenter.pipelines.threshold_rule import check_threshold_rule
    from isocenter.pipelines.training_request import TrainingRequest
    from isocenter.registry.reference import check_model_name

    changes = [*settings]
    changes += [] if epochs is None else [f"budget.epochs={epochs}"]
    changes += [] if seed is None else [f"seed={seed}"]
    changed = override(load_plan(plan).model_dump(mode="json"), changes)
    return TrainingRequest(
        source=data,
        labels=labels,
        classes=_two_names(classes),
        name=check_model_name(name),
        plan=parse_plan(changed, source=plan),
        acceptance=load_acceptance(acceptance),
        card={} if card is None else read_card_file(card),
        threshold_rule=check_threshold_rule(threshold_rule),
        threads=threads,
        processes=processes,
        compute=_compute(gpu, nodes, spot, max_runtime),
        image=image or None,
    )


def _compute(gpu: str, nodes: int, spot: bool, max_runtime: str) -> "Compute":
    from isocenter.domain.compute_words import parse_duration, parse_gpu
    from isocenter.domain.training_job import Compute

    size, count = parse_gpu(gpu) if gpu else (None, 0)
    seconds = parse_duration(max_runtime) if max_runtime else None
    return Compute(gpu=size, gpu_count=count, nodes=nodes, spot=spot, max_runtime_s=seconds)


def _two_names(classes: str) -> tuple[str, str]:
    names = [name.strip() for name in classes.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise click.BadParameter("two different names with a comma between them", param_hint="--classes")
    return names[0], names[1]


def _run(home: "Home", place: "Target", request: "TrainingRequest") -> Any:
    from isocenter.backends import load_backend
    from isocenter.backends.patient import PatientBackend
    from isocenter.cli.pipeline.watching import TerminalObserver
    from isocenter.pipelines.job import JobLauncher
    from isocenter.pipelines.records import open_records
    from isocenter.pipelines.runner import Runner
    from isocenter.pipelines.training import PIPELINE, TrainingPipeline

    records = open_records(home)
    backend = PatientBackend(load_backend(place.backend, home, place.settings))
    with TerminalObserver(progress_console()) as observer:
        launcher = JobLauncher(backend, place.name, records, observer, place.descriptor)
        steps = TrainingPipeline(request, records, launcher, observer).steps()
        return Runner(records, observer, PIPELINE).run(steps)


def _plan_only(home: "Home", place: "Target", request: "TrainingRequest") -> Mapping[str, Any]:
    """The train job's request; where the data is not ingested yet, a placeholder stands for the dataset."""
    from isocenter.backends import load_backend
    from isocenter.domain.run import RunId
    from isocenter.pipelines.job import JobLauncher
    from isocenter.pipelines.observer import Silent
    from isocenter.pipelines.records import open_records
    from isocenter.pipelines.training import TrainingPipeline

    records = open_records(home)
    backend = load_backend(place.backend, home, place.settings)
    launcher = JobLauncher(backend, place.name, records, Silent(), place.descriptor)
    pipeline = TrainingPipeline(request, records, launcher, Silent())
    step = pipeline.ingest_step()
    ingested = records.cache.get(step.key({})) or {"dataset": "sha256:" + "0" * 64}
    submission = launcher.plan(pipeline.train_job({"ingest": ingested}), RunId("0" * 26))
    return {
        "target": place.name,
        "backend": submission.backend,
        "run": submission.run,
        "dataset_is_known": "images" in ingested,
        "digest": submission.digest,
        "request": dict(submission.request),
    }
