"""One request, its neutral pipeline, and a target for each format."""

from pathlib import Path

from isocenter.compilers.base import CompiledPipeline, load_compiler
from isocenter.compilers.spec import PipelineSpec
from isocenter.compilers.training import training_pipeline
from isocenter.domain.training_job import Compute
from isocenter.domain.training_plan import load_plan
from isocenter.pipelines.acceptance import load_acceptance
from isocenter.pipelines.training_request import TrainingRequest
from isocenter.targets.descriptor import DeploymentDescriptor

IMAGE = "registry.example/isocenter/training@sha256:" + "1" * 64
DATASET = "sha256:" + "d" * 64
CODE = "sha256:" + "c" * 64
FORMATS = ("airflow", "azureml", "kubeflow", "local", "sagemaker", "vertex")
IN_SERVICE = ("azureml", "kubeflow", "sagemaker", "vertex")


def make_request(**changes: object) -> TrainingRequest:
    values = {
        "source": Path("/data/xrays"),
        "labels": Path("/data/labels.csv"),
        "classes": ("normal", "pneumonia"),
        "name": "chest-xray",
        "plan": load_plan("small"),
        "acceptance": load_acceptance(),
        "threads": 1,
        "compute": Compute(gpu="l4", gpu_count=1, max_runtime_s=7200),
    }
    return TrainingRequest(**{**values, **changes})  # type: ignore[arg-type]


def _target(provider: str, backend: str, **fields: object) -> DeploymentDescriptor:
    scheme = {"aws": "s3", "gcp": "gs", "azure": "abfss", "onprem": "s3"}[provider]
    end = "@hospital.dfs.core.windows.net" if provider == "azure" else ""
    settings = {"images": {"training": IMAGE}, **fields.pop("settings", {})}  # type: ignore[dict-item]
    values = {
        "name": f"{provider}-test",
        "provider": provider,
        "backend": backend,
        "residency": "eu",
        "buckets": {purpose: f"{scheme}://{purpose}{end}" for purpose in ("data", "models")},
        "labels": {"owner": "imaging"},
        "settings": settings,
    }
    return DeploymentDescriptor.model_validate({**values, **fields})


_KEY = "arn:aws:kms:eu-central-1:123456789012:key/0f0f"
AWS = _target(
    "aws",
    "sagemaker",
    region="eu-central-1",
    keys={"data": _KEY},
    identities={role: f"arn:aws:iam::123456789012:role/{role}" for role in ("training", "pipeline")},
    network={"id": "vpc-1", "subnets": ["subnet-1"], "security_groups": ["sg-1"]},
    gpu=[
        {"size": "l4", "per_node": 1, "max_nodes": 4, "machine": "ml.g6.2xlarge", "spot": True},
        {"size": "a100-80", "per_node": 8, "max_nodes": 2, "machine": "ml.p4de.24xlarge"},
    ],
)
GCP = _target(
    "gcp",
    "vertex",
    region="europe-west4",
    keys={"data": "projects/p/locations/europe-west4/keyRings/r/cryptoKeys/k"},
    identities={role: f"{role}@p.iam.gserviceaccount.com" for role in ("training", "pipeline")},
    gpu=[{"size": "l4", "per_node": 1, "max_nodes": 4, "machine": "g2-standard-8"}],
    settings={
        "project": "p",
        "project_number": "1",
        "peered_network": "projects/1/global/networks/n",
    },
)
AZURE = _target(
    "azure",
    "azureml",
    region="westeurope",
    identities={"training": "11111111-1111-1111-1111-111111111111"},
    workspace="ws",
    gpu=[{"size": "a10", "per_node": 1, "max_nodes": 4, "machine": "Standard_NV36ads_A10_v5", "spot": True}],
    settings={
        "subscription": "22222222-2222-2222-2222-222222222222",
        "resource_group": "rg",
        "datastores": {"data": "data", "models": "models"},
        "clusters": [
            {"name": "gpu-a10-1", "size": "a10", "per_node": 1, "spot": False, "max_nodes": 4, "family": "x"},
            {"name": "spot-a10-1", "size": "a10", "per_node": 1, "spot": True, "max_nodes": 4, "family": "x"},
        ],
    },
)
ONPREM = _target(
    "onprem",
    "kubernetes",
    gpu=[{"size": "l4", "per_node": 1, "max_nodes": 2, "machine": ""}],
    endpoints={"object-store": "https://objects.example"},
    settings={"secrets": {"object-store": "isocenter-object-store"}},
)
TARGETS: dict[str, DeploymentDescriptor | None] = {
    "airflow": AWS,
    "azureml": AZURE,
    "kubeflow": ONPREM,
    "local": None,
    "sagemaker": AWS,
    "vertex": GCP,
}
REQUEST = make_request()
SPEC = training_pipeline(REQUEST, code=CODE, image=IMAGE, dataset=DATASET)
_AZURE_SPEC = training_pipeline(
    make_request(compute=Compute(gpu="a10", gpu_count=1, max_runtime_s=7200)),
    code=CODE,
    image=IMAGE,
    dataset=DATASET,
)


def spec_for(format_: str) -> PipelineSpec:
    """The pipeline for a format's target. Azure sells no L4."""
    return _AZURE_SPEC if format_ == "azureml" else SPEC


def compile_for(format_: str, spec: PipelineSpec | None = None) -> CompiledPipeline:
    """``spec`` in a format, for its target."""
    return load_compiler(format_)(spec or spec_for(format_), TARGETS[format_])
