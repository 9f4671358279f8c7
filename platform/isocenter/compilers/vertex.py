"""kfp IR for Vertex AI Pipelines; account, network and key are given when it is submitted."""

from collections.abc import Mapping
from typing import Any

import yaml

from isocenter.backends.machine_choice import choose_machine
from isocenter.compilers.base import CompiledPipeline
from isocenter.compilers.container import described, refuse_clusters
from isocenter.compilers.kfp_ir import pipeline_ir
from isocenter.compilers.spec import PipelineSpec, Place
from isocenter.domain.training_job import Compute
from isocenter.targets.descriptor import DeploymentDescriptor

# Vertex AI chooses the machine that has so much.
_CORES, _GIB = 8, 32


def compile_vertex(spec: PipelineSpec, target: DeploymentDescriptor | None) -> CompiledPipeline:
    """See :class:`isocenter.compilers.base.Compiler`."""
    descriptor = described(target, "vertex", "gcp")
    resources = {}
    for step in spec.in_service:
        refuse_clusters(step, "Vertex AI")
        if step.place is Place.TRAINING:
            resources[step.name] = _resources(step.training_job.compute, descriptor)
    text = yaml.safe_dump(pipeline_ir(spec, descriptor, resources), sort_keys=True, width=10_000)
    return CompiledPipeline("vertex", text, f"{spec.name}.vertex.yaml")


def _resources(compute: Compute, target: DeploymentDescriptor) -> Mapping[str, Any]:
    count = max(1, compute.gpu_count)
    written: dict[str, Any] = {
        "cpuLimit": float(_CORES * count),
        "memoryLimit": float(_GIB * count),
        "resourceCpuLimit": str(_CORES * count),
        "resourceMemoryLimit": f"{_GIB * count}G",
    }
    if compute.gpu_count:
        accelerator = choose_machine(target, compute).accelerator
        number = str(compute.gpu_count)
        written["accelerator"] = {
            "type": accelerator,
            "resourceType": accelerator,
            "count": number,
            "resourceCount": number,
        }
    return written
