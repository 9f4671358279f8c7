"""The one interface through which a version reaches a target's own model registry."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast, runtime_checkable

from isocenter.backends.base import install_hint
from isocenter.errors import EnvironmentFaultError
from isocenter.targets.descriptor import DeploymentDescriptor

# Backend of a target -> where the mirror of its registry is made: ``open_mirror(descriptor, timeout_s)``.
_MIRRORS: Mapping[str, str] = {
    "azureml": "isocenter.mirrors.azureml",
    "sagemaker": "isocenter.mirrors.sagemaker",
    "vertex": "isocenter.mirrors.vertex",
}
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class MirroredVersion:
    """A model version, in what every registry can hold.

    Args:
        name: of the model.
        number: of the version at home.
        digest: of the bundle.
        artifact_uri: where the bundle lies on the target.
        metrics: numbers on the test patients.
        labels: e.g. the dataset's digest and the run id; never patient data.
    """

    name: str
    number: int
    digest: str
    artifact_uri: str
    metrics: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Mirror(Protocol):
    """One target's registry. Every call is idempotent.

    Each raises TransientFaultError where it may work later, InputError or EnvironmentFaultError where not.
    """

    def register(self, version: MirroredVersion) -> str:
        """Make the version there, or find it; the provider's id of it."""
        ...

    def set_aliases(self, provider_id: str, aliases: frozenset[str]) -> None:
        """Give the version exactly these aliases; another version that had one of them loses it."""
        ...

    def set_approval(self, provider_id: str, approved: bool) -> None:
        """Say whether the version is approved. Why stays at home: it is a person's free text."""
        ...


def load_mirror(
    backend: str, descriptor: DeploymentDescriptor, *, timeout_s: float | None = None
) -> Mirror | None:
    """The mirror of a target's registry; None where its service has none.

    Args:
        backend: of the target.
        descriptor: of the target.
        timeout_s: of one request; None: a minute.

    Raises:
        EnvironmentFaultError: the service's packages are not installed.
    """
    module = _MIRRORS.get(backend)
    if module is None:
        return None
    try:
        return cast(Mirror, importlib.import_module(module).open_mirror(descriptor, timeout_s or _TIMEOUT_S))
    except ImportError as error:
        missing = error.name or "it needs"
        raise EnvironmentFaultError(
            f"The mirror of {descriptor.name} can't be loaded: the package {missing!r} is missing.",
            hint=install_hint(backend),
        ) from error
