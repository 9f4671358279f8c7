"""GPU training on Azure ML: clusters that are empty when idle, ways to the data, optional notebooks."""

from dataclasses import dataclass

from cdktn_provider_azurerm.machine_learning_compute_cluster import (
    MachineLearningComputeCluster,
    MachineLearningComputeClusterIdentity,
    MachineLearningComputeClusterScaleSettings,
)
from cdktn_provider_azurerm.machine_learning_compute_instance import (
    MachineLearningComputeInstance,
    MachineLearningComputeInstanceIdentity,
)
from cdktn_provider_azurerm.machine_learning_datastore_blobstorage import (
    MachineLearningDatastoreBlobstorage,
)
from cdktn_provider_azurerm.machine_learning_workspace_network_outbound_rule_private_endpoint import (
    MachineLearningWorkspaceNetworkOutboundRulePrivateEndpoint,
)
from constructs import Construct

from isocenter.targets.settings import GpuSettings
from isocenter_infra.azure.bucket import Bucket
from isocenter_infra.azure.grant import grant
from isocenter_infra.azure.identity import Identity
from isocenter_infra.azure.machine import machine_for
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.storage import Storage
from isocenter_infra.azure.workspace import Workspace
from isocenter_infra.deployment import Deployment

_IDLE = "PT15M"
_NOTEBOOK_MACHINE = "Standard_E4ds_v5"


@dataclass(frozen=True)
class ComputeArgs:
    """What the compute needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        storage: that jobs read and write.
        identity: that jobs run as.
        workspace: that it belongs to.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    storage: Storage
    identity: Identity
    workspace: Workspace


class Compute(Construct):
    """One cluster a GPU size, the datastores, and a notebook's machine where wanted."""

    def __init__(self, scope: Construct, id_: str, args: ComputeArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.workspace = args.workspace.workspace
        self.datastores = {
            bucket.purpose: self._reach(bucket) for bucket in (args.storage.data, args.storage.models)
        }
        self.clusters = {cluster_name(gpu): self._cluster(gpu) for gpu in self._sizes}
        pipeline = args.identity.users["pipeline"]
        grant(self, "pipeline-jobs", pipeline, "AzureML Data Scientist", self.workspace.id)
        if args.deployment.settings.compute.notebooks:
            self._notebook()

    @property
    def _sizes(self) -> tuple[GpuSettings, ...]:
        return self._args.deployment.settings.compute.gpu

    def _reach(self, bucket: Bucket) -> MachineLearningDatastoreBlobstorage:
        """Approve the way from the workspace's network to ``bucket``, and give it a name there."""
        name = bucket.purpose
        MachineLearningWorkspaceNetworkOutboundRulePrivateEndpoint(
            self,
            f"{name}-approved",
            name=f"to-{name}",
            workspace_id=self.workspace.id,
            service_resource_id=bucket.account.id,
            sub_resource_target="blob",
            spark_enabled=False,
        )
        return MachineLearningDatastoreBlobstorage(
            self,
            f"{name}-datastore",
            name=f"isocenter_{name}",
            workspace_id=self.workspace.id,
            storage_container_id=bucket.container.id,
            # No stored credential: who reads is the identity of the job.
            service_data_auth_identity="None",
            is_default=False,
            tags=self._args.place.tags,
        )

    def _cluster(self, gpu: GpuSettings) -> MachineLearningComputeCluster:
        args = self._args
        return MachineLearningComputeCluster(
            self,
            cluster_name(gpu),
            name=cluster_name(gpu),
            machine_learning_workspace_id=self.workspace.id,
            location=args.place.region,
            tags=args.place.tags,
            vm_size=machine_for(gpu).managed,
            vm_priority="LowPriority" if gpu.spot else "Dedicated",
            scale_settings=MachineLearningComputeClusterScaleSettings(
                min_node_count=0,
                max_node_count=gpu.max_nodes,
                scale_down_nodes_after_idle_duration=_IDLE,
            ),
            identity=MachineLearningComputeClusterIdentity(
                type="UserAssigned", identity_ids=[args.identity.users["training"].id]
            ),
            local_auth_enabled=False,
            node_public_ip_enabled=False,
            ssh_public_access_enabled=False,
        )

    def _notebook(self) -> None:
        args = self._args
        MachineLearningComputeInstance(
            self,
            "notebook",
            name=args.names.of_purpose("nb"),
            machine_learning_workspace_id=self.workspace.id,
            virtual_machine_size=_NOTEBOOK_MACHINE,
            authorization_type="personal",
            local_auth_enabled=False,
            node_public_ip_enabled=False,
            identity=MachineLearningComputeInstanceIdentity(
                type="UserAssigned", identity_ids=[args.identity.users["training"].id]
            ),
            tags=args.place.tags,
        )


def cluster_name(gpu: GpuSettings) -> str:
    """Name of the cluster for ``gpu``; jobs ask for it by this name."""
    return f"{gpu.size}-x{gpu.per_node}{'-spot' if gpu.spot else ''}"
