"""What a service that runs pipelines is asked, and finding it by the name of its format."""

import enum
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

from isocenter.compilers.base import CompiledPipeline
from isocenter.errors import EnvironmentFaultError, InputError
from isocenter.targets.descriptor import DeploymentDescriptor


class StepStage(enum.StrEnum):
    """Where a step of a pipeline is, in the same words for every service."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CACHED = "cached"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    """A step that it needs did not end well."""
    UNKNOWN = "unknown"
    """The service doesn't tell."""


@dataclass(frozen=True)
class StepStatus:
    """One row of the table of steps.

    Args:
        name: of the step.
        stage: where it is.
        detail: one line: why it failed, the service's own name of its job.
        started_at: when it began; None where it has not, or the service doesn't tell.
        ended_at: likewise.
    """

    name: str
    stage: StepStage
    detail: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Orchestrator(Protocol):
    """A service that runs pipelines. Made with the target's descriptor."""

    def submit(self, compiled: CompiledPipeline, parameters: Mapping[str, str], execution: str) -> str:
        """Start the pipeline, or find it: idempotent on ``execution``.

        Args:
            compiled: in the service's format.
            parameters: name -> value; those that aren't given take their default.
            execution: our id.

        Returns:
            the service's own name of the execution.

        Raises:
            TransientFaultError: the service is busy or can't be reached.
            InputError, PolicyError: it refuses.
        """
        ...

    def steps(self, external_id: str) -> Sequence[StepStatus]:
        """The steps that the service tells of; one that is missing waits, or is skipped.

        Raises:
            TransientFaultError: the service is busy or can't be reached.
        """
        ...


class OrchestratorFactory(Protocol):
    """How one is made."""

    def __call__(self, descriptor: DeploymentDescriptor) -> Orchestrator:
        """For one target."""
        ...


_KNOWN: Mapping[str, str] = {
    "azureml": "isocenter.orchestrators.azureml:AzureMlPipelines",
    "kubeflow": "isocenter.orchestrators.kubeflow:KubeflowPipelines",
    "sagemaker": "isocenter.orchestrators.sagemaker:SageMakerPipelines",
    "vertex": "isocenter.orchestrators.vertex:VertexPipelines",
}
_EXTRAS: Mapping[str, str] = {"azureml": "azure", "sagemaker": "aws", "vertex": "gcp"}


def load_orchestrator(format_: str, descriptor: DeploymentDescriptor) -> Orchestrator:
    """What runs pipelines of a format on a target.

    Raises:
        InputError: pipelines of this format aren't handed to a service.
        EnvironmentFaultError: the service's SDK isn't installed.
    """
    if format_ not in _KNOWN:
        raise InputError(
            f"A pipeline in the format {format_} is not handed to a service.",
            hint="isocenter pipeline compile writes it to a file.",
        )
    module, _, name = _KNOWN[format_].partition(":")
    try:
        factory = cast(OrchestratorFactory, getattr(importlib.import_module(module), name))
        return factory(descriptor)
    except ImportError as error:
        raise EnvironmentFaultError(
            f"The package {error.name or 'it needs'!r} is missing.",
            hint=f"pip install 'isocenter[{_EXTRAS.get(format_, '')}]'",
        ) from error
