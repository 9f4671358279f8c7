"""What a Kubernetes cluster needs before it can train: the GPU device plugin and Kubeflow Trainer.

Charts are pinned; they come from their projects' own repositories, or from a mirror inside the network.
"""

from collections.abc import Sequence
from typing import Any

from cdktn import ITerraformDependable
from cdktn_provider_helm.release import Release
from constructs import Construct

_DEVICE_PLUGIN = ("https://nvidia.github.io/k8s-device-plugin", "nvidia-device-plugin", "0.18.0")
_TRAINER = ("oci://ghcr.io/kubeflow/charts", "kubeflow-trainer", "2.1.0")


def install_workloads(
    scope: Construct, *, device_plugin: bool, depends_on: Sequence[ITerraformDependable]
) -> None:
    """Install Kubeflow Trainer and, where the cloud doesn't bring one, NVIDIA's device plugin.

    Args:
        scope: holds the helm provider.
        device_plugin: whether the cluster lacks it.
        depends_on: the cluster and its nodes.
    """
    charts = {"trainer": _TRAINER} | ({"device-plugin": _DEVICE_PLUGIN} if device_plugin else {})
    for name, (repository, chart, version) in charts.items():
        settings: dict[str, Any] = {
            "repository": repository,
            "chart": chart,
            "version": version,
            "namespace": f"isocenter-{name}",
            "create_namespace": True,
            "atomic": True,
        }
        Release(scope, name, name=name, depends_on=list(depends_on), **settings)
