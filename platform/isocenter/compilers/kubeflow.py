"""kfp IR for Kubeflow Pipelines, with the part that only Kubernetes knows in a second document."""

from collections.abc import Mapping
from typing import Any

import yaml

from isocenter.compilers.base import CompiledPipeline
from isocenter.compilers.container import described, refuse_clusters
from isocenter.compilers.kfp_ir import pipeline_ir
from isocenter.compilers.spec import PipelineSpec, PipelineStep, Place
from isocenter.domain.training_job import Compute
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor

_GPU = "nvidia.com/gpu"
_GPU_TOLERATION = {"key": _GPU, "operator": "Exists", "effect": "NoSchedule"}
_CPU_CORES, _CPU_GIB, _CORES_A_GPU, _GIB_A_GPU = 4, 16, 6, 24
_CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


def compile_kubeflow(spec: PipelineSpec, target: DeploymentDescriptor | None) -> CompiledPipeline:
    """See :class:`isocenter.compilers.base.Compiler`."""
    descriptor = described(target, "kubeflow", "")
    steps = spec.in_service
    for step in steps:
        refuse_clusters(step, "Kubeflow")
    resources = {
        step.name: _resources(step.training_job.compute, descriptor)
        for step in steps
        if step.place is Place.TRAINING
    }
    ir = pipeline_ir(spec, descriptor, resources)
    _say_where_objects_are(ir, descriptor)
    executors = {f"exec-{step.name}": found for step in steps if (found := _on_kubernetes(step, descriptor))}
    documents: list[Mapping[str, Any]] = [ir]
    if executors:
        documents.append({"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}})
    text = yaml.safe_dump_all(documents, sort_keys=True, width=10_000)
    return CompiledPipeline("kubeflow", text, f"{spec.name}.kubeflow.yaml")


def _resources(compute: Compute, target: DeploymentDescriptor) -> Mapping[str, Any]:
    count = compute.gpu_count
    if count and not any(offer.size == compute.gpu and offer.per_node >= count for offer in target.gpu):
        raise InputError(f"{target.name} has no machine with {compute.gpu} x {count}.")
    cores = _CORES_A_GPU * count or _CPU_CORES
    memory = _GIB_A_GPU * count or _CPU_GIB
    written: dict[str, Any] = {
        "cpuLimit": float(cores),
        "memoryLimit": float(memory),
        "resourceCpuLimit": str(cores),
        "resourceMemoryLimit": f"{memory}Gi",
    }
    if count:
        number = {"count": str(count), "resourceCount": str(count)}
        written["accelerator"] = {"type": _GPU, "resourceType": _GPU, **number}
    return written


def _say_where_objects_are(ir: dict[str, Any], target: DeploymentDescriptor) -> None:
    address = target.endpoints.get("object-store")
    for executor in ir["deploymentSpec"]["executors"].values():
        if address:
            executor["container"]["env"].append({"name": "AWS_ENDPOINT_URL", "value": address})


def _on_kubernetes(step: PipelineStep, target: DeploymentDescriptor) -> dict[str, Any]:
    """KubernetesExecutorConfig: credentials by reference, and who may stand on GPU nodes.

    https://github.com/kubeflow/pipelines/blob/master/kubernetes_platform/proto/kubernetes_executor_config.proto
    """
    written: dict[str, Any] = {}
    if secret := target.settings.get("secrets", {}).get("object-store"):
        keys = [{"secretKey": name, "envVar": name} for name in _CREDENTIALS]
        written["secretAsEnv"] = [{"secretName": secret, "keyToEnv": keys}]
    if step.job is not None and step.job.compute.gpu_count:
        written["tolerations"] = [_GPU_TOLERATION]
    return written
