"""The options that say what to train on what: the same for every verb that runs or writes the pipeline."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from isocenter.cli.paths import INPUT_PATH

if TYPE_CHECKING:
    from isocenter.domain.training_job import Compute
    from isocenter.domain.training_plan import TrainingPlan
    from isocenter.pipelines.training_request import TrainingRequest

_Function = TypeVar("_Function", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--data",
        required=True,
        metavar="SRC",
        type=INPUT_PATH,
        help="Source: a folder of DICOM files, or a DICOMDIR.",
    ),
    click.option("--labels", type=INPUT_PATH, help="Table of labels; without it, folder names."),
    click.option(
        "--classes",
        default="normal,pneumonia",
        show_default=True,
        help="Names of the two classes, the negative one first.",
    ),
    click.option("--name", default="chest-xray", show_default=True, help="The model's name in the registry."),
    click.option(
        "--plan", default="small", show_default=True, help="Training plan: built-in name or YAML file."
    ),
    click.option("--epochs", type=click.IntRange(1), help="Epochs at most, instead of the plan's."),
    click.option("--seed", type=click.IntRange(0, 2**32 - 1), help="Seed, instead of the plan's."),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="FIELD=VALUE",
        help="Another field of the plan, e.g. budget.batch_size=32. May be repeated.",
    ),
    click.option("--card", type=INPUT_PATH, help="YAML file with the model card's fields that you fill."),
    click.option(
        "--acceptance",
        type=INPUT_PATH,
        help="YAML file of what the model must reach.  [default: modest floors]",
    ),
    click.option(
        "--threshold-rule",
        default="youden",
        show_default=True,
        help="How the decision threshold is chosen: youden, sensitivity>=X or specificity>=X.",
    ),
    click.option("--gpu", metavar="SIZE[xN]", help="GPUs of each machine, e.g. l4 or a100-80x8."),
    click.option("--nodes", type=click.IntRange(1), default=1, help="Machines that train together."),
    click.option(
        "--spot", is_flag=True, help="Interruptible machines; training resumes from its checkpoint."
    ),
    click.option(
        "--max-runtime",
        metavar="TIME",
        help="Stop a job after this long, 1m to 7d, e.g. 6h.  [default: on a target, a day]",
    ),
    click.option("--image", metavar="REF@sha256:...", help="Training image.  [default: the target's]"),
    click.option("--threads", type=click.IntRange(1), help="CPU threads of the jobs.  [default: all cores]"),
    click.option(
        "--processes", type=click.IntRange(1), help="Processes that read files.  [default: one a core]"
    ),
)


def request_options(function: _Function) -> _Function:
    """Give a verb the options that :func:`build_request` takes."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def build_request(
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
    gpu: str | None,
    nodes: int,
    spot: bool,
    max_runtime: str | None,
    image: str | None,
) -> "TrainingRequest":
    """What the options ask for.

    Raises:
        InputError, click.BadParameter: one of them is wrong.
    """
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
    parsed, names = parse_plan(changed, source=plan), _two_names(classes)
    _refuse_other_classes(parsed, names)
    return TrainingRequest(
        source=data,
        labels=labels,
        classes=names,
        name=check_model_name(name),
        plan=parsed,
        acceptance=load_acceptance(acceptance),
        card={} if card is None else _card(card),
        threshold_rule=check_threshold_rule(threshold_rule),
        threads=threads,
        processes=processes,
        compute=_compute(gpu, nodes, spot, max_runtime),
        image=image,
    )


def _refuse_other_classes(plan: "TrainingPlan", classes: tuple[str, str]) -> None:
    from isocenter.errors import InputError

    wanted = plan.task.classes
    if wanted is not None and tuple(wanted) != classes:
        raise InputError(
            f"The plan's task.classes are {', '.join(wanted)}; --classes says {', '.join(classes)}.",
            hint="Leave task.classes out of the plan, or give the same names in the same order.",
        )


def _card(path: Path) -> Mapping[str, Any]:
    from isocenter.cards import read_card_file

    return read_card_file(path)


def _compute(gpu: str | None, nodes: int, spot: bool, max_runtime: str | None) -> "Compute":
    from isocenter.domain.compute_words import parse_gpu, parse_max_runtime
    from isocenter.domain.training_job import Compute

    size, count = (None, 0) if gpu is None else parse_gpu(gpu)
    seconds = None if max_runtime is None else parse_max_runtime(max_runtime)
    return Compute(gpu=size, gpu_count=count, nodes=nodes, spot=spot, max_runtime_s=seconds)


def _two_names(classes: str) -> tuple[str, str]:
    names = [name.strip() for name in classes.split(",")]
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        raise click.BadParameter("two different names with a comma between them", param_hint="--classes")
    return names[0], names[1]
