"""Where a pod of a job may run and what it gets there: GPUs, nodes, spot, cores and memory. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.clouds.offer import GPU_SIZES
from isocenter.domain.training_job import Compute
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor, GpuOnOffer

GPU = "nvidia.com/gpu"
# Label of the GPU nodes that infra provisions, by provider. GKE allows no slash that isn't a domain's.
_SIZE_LABEL = {"aws": "isocenter/gpu", "azure": "isocenter/gpu", "gcp": "isocenter-gpu"}
_GPU_TOLERATION = {"key": GPU, "operator": "Exists", "effect": "NoSchedule"}
# Labels and taints that the managed services give their interruptible nodes.
# https://docs.aws.amazon.com/eks/latest/userguide/managed-node-groups.html
# https://cloud.google.com/kubernetes-engine/docs/how-to/spot-vms
# https://learn.microsoft.com/azure/aks/spot-node-pool
_SPOT_LABEL = {
    "aws": ("eks.amazonaws.com/capacityType", "SPOT"),
    "azure": ("kubernetes.azure.com/scalesetpriority", "spot"),
    "gcp": ("cloud.google.com/gke-spot", "true"),
}
# Requests equal limits: the pod is of the class Guaranteed, the last to be evicted.
_CPU_JOB = {"cpu": "4", "memory": "16Gi"}
_PER_GPU = {"cpu": "6", "memory": "24Gi"}
_SCRATCH = "50Gi"


@dataclass(frozen=True)
class Placement:
    """What goes into a pod's specification.

    Args:
        node_selector: labels that its node must have.
        node_terms: further expressions on its node's labels.
        tolerations: taints that don't keep it off a node.
        resources: amounts, the same for request and limit.
        priority: what its priority class is for: ``training`` or ``training-spot``.
        gpus: on each node.
    """

    resources: Mapping[str, str]
    priority: str
    gpus: int = 0
    node_selector: Mapping[str, str] = field(default_factory=dict)
    node_terms: tuple[Mapping[str, Any], ...] = ()
    tolerations: tuple[Mapping[str, Any], ...] = ()


def place(compute: Compute, descriptor: DeploymentDescriptor, settings: Mapping[str, Any]) -> Placement:
    """Where a job that needs ``compute`` runs.

    Args:
        compute: in neutral terms.
        descriptor: of the target: what it has on offer.
        settings: ``gpu`` (by size: ``resource``, ``node_affinity``, ``tolerations``), ``spot``
            (``node_selector``, ``tolerations``), ``resources`` (of a job without GPU) and
            ``resources_per_gpu`` (amounts by name); each has a default.

    Raises:
        InputError: the target has no such GPU, too few of them, or no interruptible nodes.
    """
    on_gpu = compute.gpu_count > 0
    offer = offered_to(compute, descriptor) if on_gpu else None
    node = _gpu_node(compute, descriptor, settings) if on_gpu else {}
    spot = _spot(descriptor, settings) if compute.spot else {}
    if compute.spot and offer and not offer.spot and descriptor.provider in _SPOT_LABEL:
        raise InputError(
            f"{descriptor.name} has no interruptible nodes with {offer.size}.",
            hint="Leave spot out, or provision such nodes: compute.gpu, spot: true.",
        )
    return Placement(
        resources=_resources(compute, node.get("resource", GPU), settings),
        priority="training-spot" if compute.spot else "training",
        gpus=compute.gpu_count,
        node_selector={**node.get("node_selector", {}), **spot.get("node_selector", {})},
        node_terms=tuple(node.get("node_affinity", ())),
        tolerations=(*node.get("tolerations", ()), *spot.get("tolerations", ())),
    )


def offered_to(compute: Compute, descriptor: DeploymentDescriptor) -> GpuOnOffer:
    """What the target has of the GPUs that are asked for; the one with the fewest on a machine that do."""
    of_size = [gpu for gpu in descriptor.gpu if gpu.size == compute.gpu]
    if not of_size:
        raise InputError(
            f"{descriptor.name} has no GPU of size {compute.gpu!r}.", hint=_nearest(compute.gpu, descriptor)
        )
    enough = [gpu for gpu in of_size if gpu.per_node >= compute.gpu_count and gpu.max_nodes >= compute.nodes]
    if not enough:
        there = ", ".join(f"{gpu.max_nodes} x {gpu.size} x {gpu.per_node}" for gpu in of_size)
        raise InputError(
            f"{descriptor.name} has no {compute.nodes} nodes with {compute.gpu_count} {compute.gpu} each.",
            hint=f"It has at most: {there} (nodes x size x GPUs on a node).",
        )
    fitting = [gpu for gpu in enough if gpu.spot == compute.spot]
    return min(fitting or enough, key=lambda gpu: gpu.per_node)


def _nearest(size: str | None, descriptor: DeploymentDescriptor) -> str:
    offered = {gpu.size for gpu in descriptor.gpu}
    if not offered:
        return "It has no GPU at all."
    known = [name for name in GPU_SIZES if name in offered] + sorted(offered - set(GPU_SIZES))
    if size in GPU_SIZES:
        at = GPU_SIZES.index(size)
        known.sort(key=lambda name: abs(GPU_SIZES.index(name) - at) if name in GPU_SIZES else len(GPU_SIZES))
    return f"Nearest that it has: {', '.join(known[:2])}."


def _gpu_node(
    compute: Compute, descriptor: DeploymentDescriptor, settings: Mapping[str, Any]
) -> Mapping[str, Any]:
    told: Mapping[str, Any] | None = settings.get("gpu", {}).get(compute.gpu)
    if told is not None:
        return told
    label = _SIZE_LABEL.get(descriptor.provider)
    return {
        "node_selector": {label: compute.gpu} if label else {},
        "tolerations": [_GPU_TOLERATION],
    }


def _spot(descriptor: DeploymentDescriptor, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    told: Mapping[str, Any] | None = settings.get("spot")
    if told is not None:
        return told
    if descriptor.provider not in _SPOT_LABEL:
        return {}  # a hospital's own machines: the priority class says it
    key, value = _SPOT_LABEL[descriptor.provider]
    taint = {"key": key, "operator": "Equal", "value": value, "effect": "NoSchedule"}
    return {"node_selector": {key: value}, "tolerations": [taint]}


def _resources(compute: Compute, gpu: str, settings: Mapping[str, Any]) -> dict[str, str]:
    if compute.gpu_count == 0:
        return {"ephemeral-storage": _SCRATCH, **settings.get("resources", _CPU_JOB)}
    each: Mapping[str, str] = settings.get("resources_per_gpu", _PER_GPU)
    amounts = {name: _times(amount, compute.gpu_count) for name, amount in each.items()}
    return {"ephemeral-storage": _SCRATCH, **amounts, gpu: str(compute.gpu_count)}


def _times(amount: str, count: int) -> str:
    """``24Gi`` times 2 is ``48Gi``."""
    digits = amount.rstrip("mkKMGTPEi")
    return f"{int(digits) * count}{amount[len(digits) :]}"
