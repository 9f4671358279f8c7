"""The stack of one deployment on Azure: its concerns, wired."""

from cdktn import TerraformStack
from constructs import Construct

from isocenter_infra.azure.audit import Audit, AuditArgs
from isocenter_infra.azure.compute import Compute, ComputeArgs
from isocenter_infra.azure.describe import provisioned
from isocenter_infra.azure.guard import Guard, GuardArgs
from isocenter_infra.azure.identity import Identity, IdentityArgs
from isocenter_infra.azure.keys import Keys, KeysArgs
from isocenter_infra.azure.kubernetes import Kubernetes, KubernetesArgs
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.network import Network, NetworkArgs
from isocenter_infra.azure.place import Place, PlaceArgs
from isocenter_infra.azure.provider import provide
from isocenter_infra.azure.registry import Registry, RegistryArgs
from isocenter_infra.azure.secrets import Secrets, SecretsArgs
from isocenter_infra.azure.serving import Serving, ServingArgs
from isocenter_infra.azure.state import keep_state
from isocenter_infra.azure.storage import Storage, StorageArgs
from isocenter_infra.azure.workspace import Workspace, WorkspaceArgs
from isocenter_infra.deployment import Deployment
from isocenter_infra.descriptor import add_descriptor


class AzureStack(TerraformStack):
    """Everything that one deployment provisions on Azure."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, deployment.name)
        settings, names = deployment.settings, AzureNames.of(deployment)
        provide(self, names)
        place = Place(self, "place", PlaceArgs(deployment, names.prefix, names.region))
        replica = Place(
            self, "replica", PlaceArgs(deployment, names.of_purpose("copy"), names.replica_region)
        )
        keys = Keys(self, "keys", KeysArgs(deployment, names, place, replica))
        storage = Storage(self, "storage", StorageArgs(deployment, names, place, replica, keys))
        audit = Audit(self, "audit", AuditArgs(deployment, names, place, keys, storage))
        network = Network(self, "network", NetworkArgs(deployment, names, place, keys, storage, audit))
        keys.wait_for(network.paths)
        identity = Identity(
            self,
            "identity",
            IdentityArgs(deployment, names, place, replica, keys, storage, audit, deployment.github),
        )
        Secrets(self, "secrets", SecretsArgs(deployment, keys, identity, network.paths))
        registry = Registry(
            self, "registry", RegistryArgs(deployment, names, place, keys, audit, network, identity)
        )
        workspace = Workspace(
            self,
            "workspace",
            WorkspaceArgs(deployment, names, place, keys, storage, audit, network, registry.registry),
        )
        compute = Compute(
            self, "compute", ComputeArgs(deployment, names, place, storage, identity, workspace)
        )
        serving = Serving(
            self, "serving", ServingArgs(place, identity, workspace.workspace, workspace.bucket)
        )
        precious = {
            "keys": keys.vault.vault.id,
            "copy-keys": keys.replica_vault.vault.id,
            **{bucket.purpose: bucket.account.id for bucket in (*storage.buckets, audit.bucket)},
            "workspace": workspace.workspace.id,
            "workspace-vault": workspace.vault.vault.id,
            "workspace-bucket": workspace.bucket.account.id,
            "registry": registry.registry.id,
            "log-workspace": audit.workspace.id,
        }
        Guard(
            self,
            "guard",
            GuardArgs(deployment, names, place, replica, audit, identity, precious),
        )
        if settings.compute.kubernetes:
            Kubernetes(
                self,
                "kubernetes",
                KubernetesArgs(deployment, names, place, keys, audit, network, identity, registry),
            )
        made = (names, keys, storage, audit, network, identity, registry, compute, serving)
        add_descriptor(self, deployment, provisioned(deployment, *made))
        keep_state(self, deployment)
