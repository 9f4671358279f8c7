"""``python -m isocenter_training train``: one plan on one dataset, from pixels to a MONAI Bundle.

Input channel ``dataset``: a dataset directory. Parameters: ``plan``, a TrainingPlan as JSON; ``threads``, the
CPU cores to use, null for all that the process may.

Leaves the bundle in the model directory (:mod:`isocenter_training.bundle`), and in the output directory
metrics.jsonl, a line an epoch, and summary.json. The bundle's bytes are a function of plan, dataset, thread
count, processes and machine type: also when the run was killed and continued. A run whose checkpoint says
that training is over writes the bundle again and trains nothing.
"""

import json
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from isocenter.domain.dataset import Split
from isocenter.domain.digest import digest_json
from isocenter.domain.training_plan import TrainingPlan, parse_plan
from isocenter.errors import InputError
from isocenter_training.companions import companions, follow_parent, processes_here
from isocenter_training.contract import RunContext
from isocenter_training.progress import reporter, say

if TYPE_CHECKING:
    from isocenter.datasets import Dataset
    from isocenter_training.batches import Images, TrainingBatches
    from isocenter_training.checkpoint import TrainingState
    from isocenter_training.distributed import Group
    from isocenter_training.hardware import Hardware
    from isocenter_training.signals import StopSignal
    from isocenter_training.trainer import Trainer
    from isocenter_training.training_loop import Surroundings, TrainingLoop


def run(context: RunContext) -> None:
    """Train, then write the bundle.

    Raises:
        InputError: the plan, the dataset or the checkpoint can't be used.
        Stopped: SIGTERM came; a checkpoint is saved.
    """
    from isocenter.datasets import open_dataset
    from isocenter_training.distributed import process_group
    from isocenter_training.hardware import cores_to_use, prepare_hardware
    from isocenter_training.signals import StopSignal

    follow_parent()
    plan = read_plan(context)
    dataset = open_dataset(context.input("dataset"))
    _check_classes(plan, dataset)
    with ExitStack() as stack:
        stop = stack.enter_context(StopSignal())
        threads = cores_to_use(context)
        processes = processes_here(context, threads, plan.budget.batch_size)
        threads = max(1, threads // processes)
        context = stack.enter_context(companions(context, processes, threads))
        hardware = prepare_hardware(context, threads)
        group = stack.enter_context(process_group(context, hardware.device))
        loop = _prepare(context, plan, dataset, hardware, group, stop)
        loop.run()
        if group.writes:
            _write_results(context, plan, dataset, loop, hardware)


def read_plan(context: RunContext) -> TrainingPlan:
    """The plan in the job's parameters.

    Raises:
        InputError: there is none, or a field is wrong.
    """
    if "plan" not in context.parameters:
        raise InputError("The job's parameters lack the plan.")
    return parse_plan(context.parameters["plan"])


def _check_classes(plan: TrainingPlan, dataset: "Dataset") -> None:
    wanted, given = plan.task.classes, tuple(dataset.version.classes)
    if len(given) != 2:
        raise InputError(f"The dataset has {len(given)} classes; a binary task needs 2.")
    if wanted is not None and tuple(wanted) != given:
        raise InputError(
            f"The plan's task.classes are {', '.join(wanted)}, the dataset's {', '.join(given)}.",
            hint="Leave task.classes out of the plan to take the dataset's.",
        )


def _prepare(
    context: RunContext,
    plan: TrainingPlan,
    dataset: "Dataset",
    hardware: "Hardware",
    group: "Group",
    stop: "StopSignal",
) -> "TrainingLoop":
    from isocenter_training.batches import Images
    from isocenter_training.metrics_log import MetricsLog
    from isocenter_training.precision import resolve_precision
    from isocenter_training.trainer import build_trainer
    from isocenter_training.training_loop import Surroundings, TrainingLoop

    trainer = build_trainer(plan)
    images = Images(dataset, Split.TRAIN, plan.image_size, hardware.device)
    validation = Images(dataset, Split.VALIDATION, plan.image_size, hardware.device)
    surroundings = Surroundings(
        device=hardware.device,
        precision=resolve_precision(plan, hardware.device),
        group=group,
        checkpoint_dir=context.checkpoint_dir,
        checkpoint_saved=context.checkpoint_saved,
        metrics=MetricsLog(context.output_dir / "metrics.jsonl", writes=group.writes),
        reporter=reporter("train", speaks=group.writes),
        stop=stop,
    )
    state = _state(context, plan, dataset, group)
    if group.writes:
        _announce(plan, surroundings, hardware, len(images.rows), len(validation.rows), state)
    return TrainingLoop(trainer, _batches(trainer, images, hardware, group), validation, surroundings, state)


def _batches(trainer: "Trainer", images: "Images", hardware: "Hardware", group: "Group") -> "TrainingBatches":
    from isocenter_training.batches import TrainingBatches

    return TrainingBatches(
        images,
        trainer.build_augmentation(),
        batch_size=trainer.plan.budget.batch_size,
        seed=trainer.plan.seed,
        rank=group.rank,
        world_size=group.size,
        workers=hardware.readers,
    )


def _state(context: RunContext, plan: TrainingPlan, dataset: "Dataset", group: "Group") -> "TrainingState":
    """Where an earlier attempt got to, else the start."""
    from isocenter_training.checkpoint import TrainingState, load_checkpoint

    identity = digest_json({"plan": plan.model_dump(mode="json"), "dataset": dataset.version.digest})
    found = load_checkpoint(context.checkpoint_dir, identity) if group.writes else None
    state: TrainingState = group.share(found) or TrainingState(identity)
    if state.epoch or state.step:
        state.resumed += 1
    return state


def _announce(
    plan: TrainingPlan,
    surroundings: "Surroundings",
    hardware: "Hardware",
    training: int,
    validation: int,
    state: "TrainingState",
) -> None:
    precision = str(surroundings.precision).removeprefix("torch.")
    say(
        f"Training {plan.name} on {surroundings.device}, {hardware.threads} threads,"
        f" {surroundings.group.size} process(es), {precision}: {training} training and"
        f" {validation} validation images of {plan.image_size} x {plan.image_size},"
        f" at most {plan.budget.epochs} epochs."
    )
    if state.finished:
        say("The checkpoint says that training is over; the bundle is written again.")
    elif state.resumed:
        say(f"Continuing from the checkpoint: epoch {state.epoch + 1}, step {state.step}.")


def _write_results(
    context: RunContext, plan: TrainingPlan, dataset: "Dataset", loop: "TrainingLoop", hardware: "Hardware"
) -> None:
    from isocenter.storage import atomic
    from isocenter_training.bundle import Provenance, write_bundle

    state = loop.state
    assert state.best is not None  # noqa: S101 - at least one epoch was run
    provenance = Provenance(
        device=hardware.device.type,
        threads=hardware.threads,
        processes=context.world_size,
        precision=str(loop.precision).removeprefix("torch."),
        epochs=state.epoch,
        best_epoch=state.best["epoch"],
        validation_auroc=state.best["validation_auroc"],
        validation_loss=state.best["validation_loss"],
    )
    checks = write_bundle(context.model_dir, plan, dataset, state.best_weights, provenance)
    seconds = round(sum(entry["seconds"] for entry in state.history), 3)
    summary: dict[str, Any] = asdict(provenance) | {"seconds": seconds, "resumed": state.resumed} | checks
    atomic.write_bytes(context.output_dir / "summary.json", (json.dumps(summary, indent=2) + "\n").encode())
    say(
        f"Best of {state.epoch} epochs: {provenance.best_epoch}, validation AUROC"
        f" {provenance.validation_auroc:.4f}. {seconds:.0f} s of training."
    )
