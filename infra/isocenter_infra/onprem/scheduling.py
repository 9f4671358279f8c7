"""Who goes first when machines are short, and how a pod comes to a GPU of the right size."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdktn_provider_kubernetes.priority_class_v1 import PriorityClassV1, PriorityClassV1Metadata
from cdktn_provider_kubernetes.runtime_class_v1 import RuntimeClassV1, RuntimeClassV1Metadata
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.onprem.names import OnpremNames
from isocenter_infra.onprem.quotas import GPU

# Values of the label that NVIDIA's GPU feature discovery gives a machine, by neutral size.
_PRODUCT = f"{GPU}.product"
_PRODUCTS = {
    "l4": ["NVIDIA-L4"],
    "a10": ["NVIDIA-A10"],
    "a100-40": ["NVIDIA-A100-SXM4-40GB", "NVIDIA-A100-PCIE-40GB"],
    "a100-80": ["NVIDIA-A100-SXM4-80GB", "NVIDIA-A100-80GB-PCIe"],
    "h100": ["NVIDIA-H100-80GB-HBM3", "NVIDIA-H100-PCIe", "NVIDIA-H100-NVL"],
}
# The handler that NVIDIA's container toolkit adds to the container runtime of a machine.
_HANDLER = "nvidia"


@dataclass(frozen=True)
class Priority:
    """A priority class.

    Args:
        value: the higher goes first; a pod without a class has 0.
        preempts: may end pods of a lower value to make room.
        description: who uses it.
    """

    value: int
    preempts: bool
    description: str


PRIORITIES = {
    "serving": Priority(100_000, True, "Predictions that somebody waits for"),
    "pipeline": Priority(50_000, False, "Ingest, evaluation and registration"),
    "training": Priority(10_000, False, "Training that runs to its end"),
    "training-spot": Priority(1_000, False, "Training that may be ended and resumes from a checkpoint"),
}


@dataclass(frozen=True)
class SchedulingArgs:
    """What scheduling needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
    """

    deployment: Deployment
    names: OnpremNames


class Scheduling(Construct):
    """Priority classes and the runtime class of GPU pods; they lie in no namespace."""

    def __init__(self, scope: Construct, id_: str, args: SchedulingArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        for name, priority in PRIORITIES.items():
            PriorityClassV1(
                self,
                name,
                metadata=PriorityClassV1Metadata(
                    name=args.names.cluster_wide(name), labels=args.names.labels
                ),
                value=priority.value,
                global_default=False,
                preemption_policy="PreemptLowerPriority" if priority.preempts else "Never",
                description=f"{priority.description} ({args.deployment.name}).",
            )
        RuntimeClassV1(
            self,
            "gpu",
            metadata=RuntimeClassV1Metadata(name=args.names.cluster_wide("gpu"), labels=args.names.labels),
            handler=_HANDLER,
        )

    def described(self) -> dict[str, Any]:
        """What the Kubernetes backend puts into a pod, by neutral GPU size."""
        names, compute = self._args.names, self._args.deployment.settings.compute
        return {
            "priority_classes": {name: names.cluster_wide(name) for name in PRIORITIES},
            "runtime_class": names.cluster_wide("gpu"),
            "gpu": {gpu.size: _placement(gpu.size) for gpu in compute.gpu},
        }


def _placement(size: str) -> Mapping[str, Any]:
    """Where pods of a size go: nodes by NVIDIA's label, past the taint that keeps other pods off them."""
    return {
        "resource": GPU,
        "node_affinity": [{"key": _PRODUCT, "operator": "In", "values": _PRODUCTS[size]}],
        "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
    }
