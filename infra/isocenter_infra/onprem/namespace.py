"""The namespace: every pod in it is held to the strictest of Kubernetes' pod security standards."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_kubernetes.namespace_v1 import NamespaceV1, NamespaceV1Metadata
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.onprem.names import OnpremNames

# No root, no privilege, no host network or path, no capabilities, a seccomp profile.
_STANDARD = "restricted"
_POD_SECURITY = {
    f"pod-security.kubernetes.io/{mode}{part}": value
    for mode in ("enforce", "audit", "warn")
    for part, value in (("", _STANDARD), ("-version", "latest"))
}


@dataclass(frozen=True)
class NamespaceArgs:
    """What the namespace needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        name: of the namespace.
    """

    deployment: Deployment
    names: OnpremNames
    name: str


class Namespace(Construct):
    """A namespace for restricted pods."""

    def __init__(self, scope: Construct, id_: str, args: NamespaceArgs) -> None:
        super().__init__(scope, id_)
        self._labels = args.names.labels
        self.namespace = NamespaceV1(
            self,
            "namespace",
            metadata=[NamespaceV1Metadata(name=args.name, labels=args.names.labels | _POD_SECURITY)],
            # Whoever deletes a namespace deletes the volumes in it.
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )

    @property
    def name(self) -> str:
        """Reference to the name: what uses it is made after the namespace."""
        name: str = self.namespace.metadata.get(0).name
        return name

    def metadata(self, name: str) -> dict[str, object]:
        """Metadata of an object called ``name`` in this namespace."""
        return {"name": name, "namespace": self.name, "labels": self._labels}
