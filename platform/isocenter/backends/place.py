"""What a cloud's backend knows of its target: the deployment descriptor, and where a run's files go."""

from collections.abc import Mapping
from typing import Any

from isocenter.domain.run import RunId
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor


def described(settings: Mapping[str, Any], backend: str) -> DeploymentDescriptor:
    """The descriptor in a target's settings.

    Raises:
        InputError: the target has none: this backend can't be used without a deployment.
    """
    if "descriptor" not in settings:
        raise InputError(
            f"The backend {backend!r} needs a deployment.", hint="make deploy CLOUD=..., or isocenter emulate"
        )
    return DeploymentDescriptor.model_validate(settings["descriptor"])


def run_uri(descriptor: DeploymentDescriptor, run: RunId, kind: str) -> str:
    """Where a run's ``model``, ``output`` or ``checkpoints`` lie: in the target's bucket of models."""
    return f"{descriptor.buckets['models']}/runs/{run}/{kind}"


def job_labels(descriptor: DeploymentDescriptor, run: RunId, labels: Mapping[str, str]) -> dict[str, str]:
    """Tags of a job: the deployment's, the job's own, and the run id."""
    return {**descriptor.labels, **labels, "isocenter-run": run.lower()}
