"""What a person is told of where a job is."""

import pytest

from isocenter.backends.console import known_as, look_at
from isocenter.domain.run import JobHandle, RunId
from isocenter.targets.descriptor import DeploymentDescriptor

RUN = RunId("01M88VHPE0J4FSF2ACSAEKKXPB")
SITES = {
    "sagemaker": DeploymentDescriptor(
        name="aws-prod", provider="aws", backend="sagemaker", region="eu-central-1"
    ),
    "vertex": DeploymentDescriptor(
        name="gcp-prod",
        provider="gcp",
        backend="vertex",
        region="europe-west4",
        settings={"project": "hospital-prod"},
    ),
    "azureml": DeploymentDescriptor(
        name="azure-prod",
        provider="azure",
        backend="azureml",
        region="westeurope",
        workspace="ml",
        settings={"subscription": "1234", "resource_group": "isocenter", "tenant": "5678"},
    ),
    "kubernetes": DeploymentDescriptor(
        name="cluster", provider="onprem", backend="kubernetes", workspace="training"
    ),
}
LOOKS = {
    "sagemaker": (
        "site-run-1",
        "https://eu-central-1.console.aws.amazon.com/sagemaker/home?region=eu-central-1#/jobs/site-run-1",
    ),
    "vertex": (
        "projects/42/locations/europe-west4/customJobs/77",
        "https://console.cloud.google.com/vertex-ai/locations/europe-west4/training/77?project=hospital-prod",
    ),
    "azureml": (
        "isocenter-run-1",
        "https://ml.azure.com/runs/isocenter-run-1?wsid=/subscriptions/1234/resourcegroups/isocenter"
        "/workspaces/ml&tid=5678",
    ),
    "kubernetes": ("trainjob/isocenter-run-1", "kubectl --namespace training get trainjob/isocenter-run-1"),
}


@pytest.mark.parametrize("backend", SITES)
def test_each_service_has_a_name_and_a_place_to_look(backend: str) -> None:
    name, look = LOOKS[backend]
    handle = JobHandle(backend, RUN, name)
    assert known_as(handle).endswith(name)
    assert known_as(handle) != name
    assert look_at(handle, SITES[backend]) == look
    assert look_at(handle, SITES[backend].model_copy(update={"emulated": True})) == ""
