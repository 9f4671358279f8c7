"""How a person finds a job at its service: what it is called there, and the page or command that shows it."""

from typing import TYPE_CHECKING

from isocenter.domain.run import JobHandle

if TYPE_CHECKING:
    from isocenter.targets.descriptor import DeploymentDescriptor

_KINDS = {
    "azureml": "Azure ML job",
    "kubernetes": "Kubernetes",
    "sagemaker": "SageMaker training job",
    "vertex": "Vertex AI custom job",
}


def known_as(handle: JobHandle) -> str:
    """The service's kind and name of a job, e.g. ``SageMaker training job isocenter-...-1``."""
    return f"{_KINDS.get(handle.backend, handle.backend)} {handle.external_id}"


def look_at(handle: JobHandle, descriptor: "DeploymentDescriptor") -> str:
    """The console's page of a job, or the command that shows it; empty where there is neither.

    An emulator has no console.
    """
    ways = {"azureml": _azureml, "kubernetes": _kubernetes, "sagemaker": _sagemaker, "vertex": _vertex}
    way = ways.get(handle.backend)
    return "" if way is None or descriptor.emulated else way(handle.external_id, descriptor)


def _azureml(name: str, descriptor: "DeploymentDescriptor") -> str:
    settings = descriptor.settings
    workspace = (
        f"/subscriptions/{settings.get('subscription')}/resourcegroups/{settings.get('resource_group')}"
        f"/workspaces/{descriptor.workspace}"
    )
    tenant = f"&tid={settings['tenant']}" if settings.get("tenant") else ""
    return f"https://ml.azure.com/runs/{name}?wsid={workspace}{tenant}"


def _kubernetes(name: str, descriptor: "DeploymentDescriptor") -> str:
    namespace = descriptor.settings.get("namespace") or descriptor.workspace or "isocenter"
    return f"kubectl --namespace {namespace} get {name}"


def _sagemaker(name: str, descriptor: "DeploymentDescriptor") -> str:
    region = descriptor.region
    return f"https://{region}.console.aws.amazon.com/sagemaker/home?region={region}#/jobs/{name}"


def _vertex(name: str, descriptor: "DeploymentDescriptor") -> str:
    number = name.rpartition("/")[2]
    page = f"https://console.cloud.google.com/vertex-ai/locations/{descriptor.region}/training/{number}"
    project = descriptor.settings.get("project")
    return f"{page}?project={project}" if project else page
