"""The stack of one deployment on Google Cloud: its concerns, wired."""

from cdktn import TerraformStack
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import add_descriptor
from isocenter_infra.gcp.audit import Audit, AuditArgs
from isocenter_infra.gcp.compute import Compute, ComputeArgs
from isocenter_infra.gcp.describe import provisioned
from isocenter_infra.gcp.google_provider import add_provider
from isocenter_infra.gcp.guard import Guard, GuardArgs
from isocenter_infra.gcp.identity import Identity, IdentityArgs
from isocenter_infra.gcp.keys import Keys, KeysArgs
from isocenter_infra.gcp.kubernetes import Kubernetes, KubernetesArgs
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.network import Network, NetworkArgs
from isocenter_infra.gcp.registry import Registry, RegistryArgs
from isocenter_infra.gcp.secrets import Secrets, SecretsArgs
from isocenter_infra.gcp.serving import Serving, ServingArgs
from isocenter_infra.gcp.state import keep_state
from isocenter_infra.gcp.storage import Storage, StorageArgs


class GcpStack(TerraformStack):
    """Everything that one deployment provisions on Google Cloud."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, deployment.name)
        settings, names = deployment.settings, GcpNames.of(deployment)
        add_provider(self, deployment, names)
        keys = Keys(self, "keys", KeysArgs(deployment, names))
        storage = Storage(self, "storage", StorageArgs(deployment, names, keys))
        audit = Audit(self, "audit", AuditArgs(deployment, names, keys, storage))
        network = Network(self, "network", NetworkArgs(deployment, names))
        identity = Identity(
            self, "identity", IdentityArgs(deployment, names, storage, audit, deployment.github)
        )
        Secrets(self, "secrets", SecretsArgs(deployment, names, keys, identity))
        registry = Registry(self, "registry", RegistryArgs(deployment, names, keys, identity))
        compute = Compute(self, "compute", ComputeArgs(deployment, names, keys, network, identity))
        Serving(self, "serving", ServingArgs(deployment, names, audit.contact))
        Guard(self, "guard", GuardArgs(deployment, names, storage, audit, identity, deployment.budget))
        if settings.compute.kubernetes:
            Kubernetes(
                self, "kubernetes", KubernetesArgs(deployment, names, keys, network, identity, registry)
            )
        add_descriptor(
            self,
            deployment,
            provisioned(names, keys, audit, network, identity, registry, compute),
        )
        keep_state(self, deployment)
