"""GPU training on Vertex AI: quotas for the sizes on offer, optional machines on stand-by and notebooks."""

from dataclasses import dataclass

from cdktn_provider_google.vertex_ai_persistent_resource import (
    VertexAiPersistentResource,
    VertexAiPersistentResourceEncryptionSpec,
    VertexAiPersistentResourceResourcePools,
    VertexAiPersistentResourceResourcePoolsAutoscalingSpec,
    VertexAiPersistentResourceResourcePoolsMachineSpec,
    VertexAiPersistentResourceResourceRuntimeSpec,
    VertexAiPersistentResourceResourceRuntimeSpecServiceAccountSpec,
)
from constructs import Construct

from isocenter.targets.settings import GcpSettings, GpuSettings
from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.gpu import machine_of, pool_name
from isocenter_infra.gcp.identity import Identity
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.network import Network
from isocenter_infra.gcp.notebook import Notebook, NotebookArgs
from isocenter_infra.gcp.quotas import Quotas, QuotasArgs


@dataclass(frozen=True)
class ComputeArgs:
    """What the compute needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
        network: that it runs in.
        identity: whose training account it runs as.
    """

    deployment: Deployment
    names: GcpNames
    keys: Keys
    network: Network
    identity: Identity


class Compute(Construct):
    """Quotas, and where they are wanted a persistent resource a kind of GPU and a notebook."""

    def __init__(self, scope: Construct, id_: str, args: ComputeArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        settings = args.deployment.settings
        assert isinstance(settings.gcp, GcpSettings)  # noqa: S101 - the settings' validator saw to it
        Quotas(self, "quotas", QuotasArgs(args.deployment, args.names))
        if settings.gcp.persistent_resource:
            for gpu in settings.compute.gpu:
                self._on_stand_by(gpu)
        if settings.compute.notebooks:
            Notebook(
                self,
                "notebook",
                NotebookArgs(args.deployment, args.names, args.keys, args.network, args.identity),
            )

    @property
    def workspace(self) -> str:
        """Vertex AI has no workspace: a region of the project is one."""
        return f"{self._args.names.project_path}/locations/{self._args.names.region}"

    def _on_stand_by(self, gpu: GpuSettings) -> None:
        args, machine = self._args, machine_of(gpu)
        pool = VertexAiPersistentResourceResourcePools(
            machine_spec=VertexAiPersistentResourceResourcePoolsMachineSpec(
                machine_type=machine.managed,
                accelerator_type=machine.accelerator,
                accelerator_count=machine.gpus,
            ),
            autoscaling_spec=VertexAiPersistentResourceResourcePoolsAutoscalingSpec(
                min_replica_count="1", max_replica_count=str(max(1, gpu.max_nodes))
            ),
        )
        VertexAiPersistentResource(
            self,
            pool_name(gpu),
            name=f"{args.names.prefix}-{pool_name(gpu)}",
            location=args.names.region,
            # Vertex AI wants the project's number here.
            network=f"projects/{args.names.number}/global/networks/{args.network.vpc.name}",
            resource_pools=[pool],
            encryption_spec=VertexAiPersistentResourceEncryptionSpec(kms_key_name=args.keys.data.key_id),
            resource_runtime_spec=VertexAiPersistentResourceResourceRuntimeSpec(
                service_account_spec=VertexAiPersistentResourceResourceRuntimeSpecServiceAccountSpec(
                    enable_custom_service_account=True
                )
            ),
            depends_on=[args.network.google.connection, *args.keys.data.ready],
        )
