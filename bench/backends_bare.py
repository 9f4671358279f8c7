"""What a user of the bare SDK writes to start a printed job: is the input there, then create it.

    python bench/backends_bare.py DESCRIPTOR PLANNED NONCE

Started by ``bench/backends.py``. Only how an emulator is entered (address, token) is taken from Isocenter.
The descriptor stands for the constants at the top of a user's script; it isn't checked as Isocenter does.
"""

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

MARK = "complete/datasets"


def aws(target: Any, request: dict[str, Any], dataset: str, nonce: str) -> None:
    import boto3

    there = {"endpoint_url": target.endpoints["aws"], "region_name": target.region}
    keys = {"aws_access_key_id": "emulated", "aws_secret_access_key": "emulated"}
    bucket = target.buckets["data"].removeprefix("s3://")
    boto3.client("s3", **there, **keys).head_object(Bucket=bucket, Key=f"{MARK}/{dataset}")
    boto3.client("sagemaker", **there, **keys).create_training_job(
        **request | {"TrainingJobName": f"bare-{nonce}"}
    )


def gcp(target: Any, request: dict[str, Any], dataset: str, nonce: str) -> None:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import aiplatform_v1, storage

    anonymous, project = AnonymousCredentials(), target.settings["project"]
    files = storage.Client(
        project, anonymous, client_options={"api_endpoint": target.endpoints["gcp-storage"]}
    )
    assert files.bucket(target.buckets["data"].removeprefix("gs://")).blob(f"{MARK}/{dataset}").exists()
    jobs = aiplatform_v1.JobServiceClient(
        credentials=anonymous, transport="rest", client_options={"api_endpoint": target.endpoints["gcp"]}
    )
    job = aiplatform_v1.CustomJob.from_json(json.dumps(request["customJob"]))
    job.display_name = f"bare-{nonce}"
    jobs.create_custom_job(parent=request["parent"], custom_job=job)


def azure(target: Any, request: dict[str, Any], dataset: str, nonce: str) -> None:
    from azure.ai.ml import load_job
    from azure.storage.blob import BlobServiceClient

    from isocenter.backends.azureml_client import open_client
    from isocenter.targets.file_system import emulated_azure

    files = BlobServiceClient.from_connection_string(emulated_azure(target.endpoints["azure-storage"]))
    container = target.buckets["data"].partition("://")[2].partition("@")[0].partition("/")[0]
    assert files.get_blob_client(container, f"{MARK}/{dataset}").exists()
    job = request["job"] | {"name": f"bare-{nonce}"}
    open_client(target).jobs.create_or_update(load_job(io.StringIO(json.dumps(job))))


def kubernetes(target: Any, request: dict[str, Any], dataset: str, nonce: str) -> None:
    import boto3

    import kubernetes

    there = {"endpoint_url": target.endpoints["onprem-storage"], "region_name": "us-east-1"}
    keys = {"aws_access_key_id": "emulated", "aws_secret_access_key": "emulated"}
    bucket = target.buckets["data"].removeprefix("s3://")
    boto3.client("s3", **there, **keys).head_object(Bucket=bucket, Key=f"{MARK}/{dataset}")
    configuration = kubernetes.client.Configuration(host=target.endpoints["onprem"])
    job = request["without_trainer"]["job"]
    job["metadata"]["name"] = f"bare-{nonce}"
    with kubernetes.client.ApiClient(configuration) as client:
        kubernetes.client.BatchV1Api(client).create_namespaced_job(request["namespace"], job)


def main() -> None:
    """Start the job once more, under another name."""
    descriptor, planned, nonce = sys.argv[1:]
    target = SimpleNamespace(**json.loads(Path(descriptor).read_text()))
    found = json.loads(Path(planned).read_text())
    start = {"aws": aws, "gcp": gcp, "azure": azure}.get(target.provider, kubernetes)
    start(target, found["request"], found["dataset"], nonce)


if __name__ == "__main__":
    main()
