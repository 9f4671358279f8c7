"""A named place to train or serve."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.targets.descriptor import DeploymentDescriptor


@dataclass(frozen=True)
class Target:
    """A named place to train or serve.

    Args:
        name: e.g. ``local``, ``aws-prod``, ``hospital-a``.
        backend: which backend talks to it.
        provider: whose machines: ``local``, ``onprem``, ``aws``, ``gcp`` or ``azure``.
        region: the provider's name of the place; empty where there is none.
        residency: zone that data sent there stays in; None when nothing was promised.
        settings: in the backend's own terms.
        origin: ``built in``, or the file name of the deployment descriptor.
    """

    name: str
    backend: str
    provider: str
    region: str = ""
    residency: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    origin: str = "built in"

    @property
    def descriptor(self) -> "DeploymentDescriptor | None":
        """What was provisioned for it; None for this machine."""
        if "descriptor" not in self.settings:
            return None
        from isocenter.targets.descriptor import DeploymentDescriptor

        return DeploymentDescriptor.model_validate(self.settings["descriptor"])


LOCAL = Target(name="local", backend="local", provider="local")
