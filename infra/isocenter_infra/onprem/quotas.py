"""How much the namespace may use at most, and what a container gets that asks for nothing."""

from dataclasses import dataclass

from cdktn_provider_kubernetes.limit_range_v1 import (
    LimitRangeV1,
    LimitRangeV1Metadata,
    LimitRangeV1Spec,
    LimitRangeV1SpecLimit,
)
from cdktn_provider_kubernetes.resource_quota_v1 import (
    ResourceQuotaV1,
    ResourceQuotaV1Metadata,
    ResourceQuotaV1Spec,
    ResourceQuotaV1SpecScopeSelector,
    ResourceQuotaV1SpecScopeSelectorMatchExpression,
)
from constructs import Construct

from isocenter.targets.settings import ComputeSettings, VolumeSettings
from isocenter_infra.deployment import Deployment
from isocenter_infra.onprem.names import onprem_settings
from isocenter_infra.onprem.namespace import Namespace
from isocenter_infra.onprem.quantity import gib

GPU = "nvidia.com/gpu"
# Gateway, pipeline and serving on processors; each GPU brings what feeds it with radiographs.
_BASE_CPUS, _BASE_GIB = 32, 128
_GPU_CPUS, _GPU_GIB = 16, 128
_PODS = 200
# Room for a volume of a tool or a restored copy beside the three of storage.py.
_SPARE_CLAIMS, _SPARE_GIB = 5, 200


@dataclass(frozen=True)
class QuotasArgs:
    """What the quotas need to know.

    Args:
        deployment: it belongs to.
        namespace: that they hold for.
    """

    deployment: Deployment
    namespace: Namespace


class Quotas(Construct):
    """The namespace's quotas and its limits for each container and claim."""

    def __init__(self, scope: Construct, id_: str, args: QuotasArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        compute, volumes = args.deployment.settings.compute, onprem_settings(args.deployment).volumes
        self._quota("compute", _compute(compute))
        self._quota("storage", _storage(volumes))
        # The gateway is the one way in: neither a load balancer nor a port of a node opens another.
        self._quota("exposure", {"services.loadbalancers": "0", "services.nodeports": "0"})
        self._quota("system-priority", {"pods": "0"}, _system_priority())
        self._limits(compute, volumes)

    def _quota(
        self, name: str, hard: dict[str, str], scope: ResourceQuotaV1SpecScopeSelector | None = None
    ) -> None:
        ResourceQuotaV1(
            self,
            name,
            metadata=ResourceQuotaV1Metadata(**self._args.namespace.metadata(name)),
            spec=ResourceQuotaV1Spec(hard=hard, scope_selector=scope),
        )

    def _limits(self, compute: ComputeSettings, volumes: VolumeSettings) -> None:
        most_gpus = max(gpu.per_node for gpu in compute.gpu)
        container = LimitRangeV1SpecLimit(
            type="Container",
            default={"cpu": "1", "memory": "2Gi", "ephemeral-storage": "4Gi"},
            default_request={"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "1Gi"},
            max={
                "cpu": str(_GPU_CPUS * most_gpus),
                "memory": gib(_GPU_GIB * most_gpus),
                "ephemeral-storage": "100Gi",
                GPU: str(most_gpus),
            },
        )
        claim = LimitRangeV1SpecLimit(
            type="PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": gib(_largest(volumes))}
        )
        LimitRangeV1(
            self,
            "limits",
            metadata=LimitRangeV1Metadata(**self._args.namespace.metadata("limits")),
            spec=LimitRangeV1Spec(limit=[container, claim]),
        )


def _compute(compute: ComputeSettings) -> dict[str, str]:
    gpus = sum(gpu.per_node * gpu.max_nodes for gpu in compute.gpu)
    cpus, memory = str(_BASE_CPUS + _GPU_CPUS * gpus), gib(_BASE_GIB + _GPU_GIB * gpus)
    return {
        # Kubernetes counts an extended resource by its requests only; limits are always equal to them.
        f"requests.{GPU}": str(gpus),
        "requests.cpu": cpus,
        "limits.cpu": cpus,
        "requests.memory": memory,
        "limits.memory": memory,
        "pods": str(_PODS),
    }


def _storage(volumes: VolumeSettings) -> dict[str, str]:
    total = volumes.datasets_gib + volumes.checkpoints_gib + volumes.models_gib + _SPARE_GIB
    return {"requests.storage": gib(total), "persistentvolumeclaims": str(3 + _SPARE_CLAIMS)}


def _largest(volumes: VolumeSettings) -> int:
    return max(volumes.datasets_gib, volumes.checkpoints_gib, volumes.models_gib)


def _system_priority() -> ResourceQuotaV1SpecScopeSelector:
    """Pods that would push out the cluster's own."""
    return ResourceQuotaV1SpecScopeSelector(
        match_expression=[
            ResourceQuotaV1SpecScopeSelectorMatchExpression(
                scope_name="PriorityClass",
                operator="In",
                values=["system-cluster-critical", "system-node-critical"],
            )
        ]
    )
