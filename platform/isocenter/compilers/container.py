"""What a step's container is started with, whatever the service: image, program, arguments, variables."""

import re
from collections.abc import Mapping
from typing import Any

from isocenter.compilers.spec import DATASET, PROGRAM_WAIT_S, PipelineSpec, PipelineStep, Place
from isocenter.domain.digest import canonical_json
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor

TRAINING_PROGRAM = "isocenter-training"
PLATFORM_PROGRAM = ("isocenter", "pipeline", "step")
STEP_KEY = "ISOCENTER_STEP_KEY"
"""Variable that holds the step's caching key: services that make keys of their own hash it in."""
# A container takes back what its program says: only this code is worth another try (isocenter.errors).
ENVIRONMENT_FAULT = 7
_BY_DIGEST = re.compile(r"^\S+@sha256:[0-9a-f]{64}$")


def described(target: DeploymentDescriptor | None, format_: str, provider: str) -> DeploymentDescriptor:
    """``target`` itself.

    Raises:
        InputError: there is none, it is of another cloud, or it has no buckets.
    """
    if target is None or (provider and target.provider != provider):
        what = f"a target on {provider}" if provider else "a deployed target"
        raise InputError(f"The format {format_} needs {what}.", hint="isocenter target list shows all.")
    for purpose in ("data", "models"):
        if not target.buckets.get(purpose):
            raise InputError(f"The target {target.name} has no bucket of {purpose}.")
    return target


def image_of(step: PipelineStep, target: DeploymentDescriptor) -> str:
    """The image that ``step`` runs in, by digest. The training image holds the platform's program too.

    Raises:
        InputError: nothing names one, or it is named by a tag.
    """
    images: Mapping[str, str] = target.settings.get("images", {})
    own = step.job.image if step.job is not None else images.get("platform")
    image = own or images.get("training")
    if not image:
        raise InputError(
            f"The step {step.name} has no image, and the target names none.",
            hint="--image REF@sha256:..., or settings.images.training of the deployment.",
        )
    if not _BY_DIGEST.match(image):
        raise InputError(f"The image {image!r} is not named by its digest.", hint="REF@sha256:...")
    return image


def dataset_uri(target: DeploymentDescriptor, digest: str) -> str:
    """Where the DatasetVersion ``digest`` (or a service's word for it) lies: where staging puts it."""
    return f"{target.buckets['data']}/datasets/{digest}"


def base_uri(target: DeploymentDescriptor, pipeline: str) -> str:
    """Under which all that executions of the pipeline of this name leave lies."""
    return f"{target.buckets['models']}/pipelines/{pipeline}"


def checkpoints_uri(
    target: DeploymentDescriptor, spec: PipelineSpec, step: PipelineStep, dataset: str
) -> str:
    """Where a step's checkpoints lie: the same for each try and execution that gives the same result."""
    return f"{base_uri(target, spec.name)}/checkpoints/{short(step.cache_key)}/{dataset}"


def registration_uri(target: DeploymentDescriptor, pipeline: str, execution: str) -> str:
    """Where the step register leaves a model for the site to take up."""
    return f"{base_uri(target, pipeline)}/registrations/{execution}"


def short(key: str) -> str:
    """The first 16 digits of a digest: enough to name a folder."""
    return key.removeprefix("sha256:")[:16]


def training_arguments(
    step: PipelineStep,
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
) -> list[str]:
    """Arguments of the training program (the container contract).

    Args:
        step: in the training container.
        inputs: channel -> place, in the service's words.
        outputs: ``model``, ``output``, ``checkpoints`` -> place.
    """
    job = step.training_job
    arguments = [
        *job.command,
        f"--run-id={step.name}-{short(step.cache_key)}",
        f"--parameters={_json(job.parameters)}",
    ]
    arguments += [f"--input={channel}={place}" for channel, place in sorted(inputs.items())]
    arguments += [
        f"--{kind}={outputs[kind]}" for kind in ("model", "output", "checkpoints") if kind in outputs
    ]
    return arguments


def platform_arguments(
    step: PipelineStep, spec: PipelineSpec, inputs: Mapping[str, str], out: str, *, piece: int | None = None
) -> list[str]:
    """Arguments of the platform's program (``isocenter pipeline step``), without the program's name.

    Args:
        step: the gate or register.
        spec: the pipeline that it is in.
        inputs: channel -> place, in the service's words.
        out: where it leaves what it makes.
        piece: longest argument that the service takes; what is longer is cut, and given piece by piece.
    """
    arguments = [step.name]
    arguments += [f"--{channel}={place}" for channel, place in sorted(inputs.items())]
    if step.name == "gate":
        arguments += _cut("--acceptance=", _json(step.options["acceptance"]), piece)
    else:
        facts = {
            "name": step.options["name"],
            "pipeline": spec.name,
            "keys": {other.name: other.cache_key for other in spec.in_service},
        }
        arguments += _cut("--facts=", _json(facts), piece)
    return [*arguments, f"--out={out}"]


def timed(command: list[str], step: PipelineStep) -> list[str]:
    """``command`` under coreutils' timeout, for services that have no time limit of a step's own."""
    if step.timeout_s is None:
        return command
    return ["timeout", "--signal=TERM", f"--kill-after={PROGRAM_WAIT_S}", str(step.timeout_s), *command]


def variables(step: PipelineStep) -> dict[str, str]:
    """Environment of a step's container."""
    own = dict(step.job.environment) if step.job is not None else {}
    return {**own, STEP_KEY: step.cache_key}


def refuse_clusters(step: PipelineStep, format_: str) -> None:
    """Raise if ``step`` asks for what a plain container step of a pipeline can't have.

    Raises:
        InputError: several machines, or interruptible ones.
    """
    if step.job is None:
        return
    for asked, what in (
        (step.job.compute.nodes > 1, "several machines"),
        (step.job.compute.spot, "spot machines"),
    ):
        if asked:
            raise InputError(
                f"A step of a {format_} pipeline can't run on {what}.",
                hint="isocenter pipeline run --target ... without --submit drives jobs that can.",
            )


def starts_with_dataset(step: PipelineStep) -> bool:
    """Whether ``step`` reads the DatasetVersion."""
    source = step.inputs.get(DATASET)
    return step.place is Place.TRAINING and source is not None and source.step is None


def _cut(option: str, text: str, piece: int | None) -> list[str]:
    if piece is None:
        return [option + text]
    size = piece - len(option)
    return [option + text[at : at + size] for at in range(0, len(text), size)]


def _json(value: Any) -> str:
    return canonical_json(value if isinstance(value, dict | list) else dict(value)).decode()
