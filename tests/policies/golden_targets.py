"""The golden Submissions of ``tests/backends/golden``, and of their deployments what rules ask about."""

import json
from pathlib import Path
from typing import Any

from isocenter.domain.run import RunId
from isocenter.domain.submission import Submission
from isocenter.targets.descriptor import DeploymentDescriptor

GOLDEN = Path(__file__).parents[1] / "backends" / "golden"
_NETWORK = (
    "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/prod/providers"
    "/Microsoft.Network/virtualNetworks/prod"
)
_DESCRIPTORS: dict[str, dict[str, Any]] = {
    "sagemaker": {
        "name": "aws-prod",
        "provider": "aws",
        "region": "eu-central-1",
        "buckets": {"data": "s3://prod-data", "models": "s3://prod-models", "audit": "s3://prod-audit"},
        "keys": {"data": "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222"},
        "identities": {"training": "arn:aws:iam::123456789012:role/aws-prod-training"},
        "network": {"id": "vpc-1", "subnets": ["subnet-1", "subnet-2"], "security_groups": ["sg-1"]},
    },
    "vertex": {
        "name": "gcp-prod",
        "provider": "gcp",
        "region": "europe-west4",
        "buckets": {"data": "gs://prod-data", "models": "gs://prod-models"},
        "keys": {"data": "projects/hospital/locations/europe-west4/keyRings/prod/cryptoKeys/data"},
        "identities": {"training": "prod-training@hospital.iam.gserviceaccount.com"},
        "network": {"id": "projects/hospital/global/networks/prod"},
        "settings": {
            "project": "hospital",
            "peered_network": "projects/123456789012/global/networks/prod",
        },
    },
    "azureml": {
        "name": "azure-prod",
        "provider": "azure",
        "region": "westeurope",
        "buckets": {
            "data": "abfss://data@proddata.dfs.core.windows.net",
            "models": "abfss://models@prodmodels.dfs.core.windows.net",
        },
        "keys": {"data": "https://prod.vault.azure.net/keys/data/0123456789abcdef"},
        "identities": {"training": "66666666-7777-8888-9999-aaaaaaaaaaaa"},
        "network": {"id": _NETWORK, "subnets": [f"{_NETWORK}/subnets/workloads"]},
        "workspace": "prod",
        "settings": {
            "subscription": "11111111-2222-3333-4444-555555555555",
            "resource_group": "prod",
            "datastores": {"data": "isocenter_data", "models": "isocenter_models"},
            "clusters": [{"name": "a10-x1-spot"}],
        },
    },
    "kubernetes": {
        "name": "hospital-a",
        "provider": "onprem",
        "buckets": {"data": "s3://hospital-data", "models": "s3://hospital-models"},
        "identities": {"training": "system:serviceaccount:imaging:training"},
        "workspace": "imaging",
        "settings": {"namespace": "imaging", "volumes": {"datasets": "datasets"}},
    },
}


def target_of(backend: str) -> DeploymentDescriptor:
    """The deployment that the golden Submission of ``backend`` goes to."""
    return DeploymentDescriptor.model_validate({"backend": backend, **_DESCRIPTORS[backend]})


def golden(backend: str) -> Submission:
    """What the backend's real ``plan`` makes of the contract's job; the contract compares the two."""
    body = json.loads((GOLDEN / f"{backend}.json").read_text())
    return Submission(body["backend"], RunId(body["run"]), body["request"])
