"""A processing job as a step of a pipeline has one: files fetched, a program run, its files sent to S3.

https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html
Only inside of pipelines: CreateProcessingJob itself is moto's, which runs nothing.
"""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.backends.job_log import failure_reason
from isocenter.emulators.aws.buckets import Transfer
from isocenter.emulators.job_process import JobProcess

_ROOT = "/opt/ml/processing"
_GRACE_S = 5.0


def process(request: Mapping[str, Any], region: str, folder: Path, transfer: Transfer) -> str:
    """Run the job to its end; empty where it ended well, else the service's FailureReason.

    Args:
        request: of CreateProcessingJob.
        region: where it runs.
        folder: of this job alone; stands for the container's disk.
        transfer: to and from S3.
    """
    here = folder / "processing"
    here.mkdir(parents=True)
    for wanted in request.get("ProcessingInputs", ()):
        s3 = wanted["S3Input"]
        if not transfer.download(s3["S3Uri"], _local(s3["LocalPath"], here)):
            return f'ClientError: Data download failed:No S3 objects found under S3 URL "{s3["S3Uri"]}"'
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", ())
    for output in outputs:
        _local(output["S3Output"]["LocalPath"], here).mkdir(parents=True, exist_ok=True)
    specification = request["AppSpecification"]
    words = [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", ())]
    # The image's programs are those beside this Python.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    environment = {"AWS_REGION": region, "PATH": path, **request.get("Environment", {})}
    command = [word.replace(_ROOT, str(here)) for word in words]
    limit = request.get("StoppingCondition", {}).get("MaxRuntimeInSeconds")
    job = JobProcess(command, environment, folder / "process", folder / "log", limit, _GRACE_S)
    job.start()
    if code := job.wait():
        return f"AlgorithmError: {failure_reason(folder / 'log')}, exit code: {code}"
    for output in outputs:
        s3 = output["S3Output"]
        transfer.send_changes(_local(s3["LocalPath"], here), s3["S3Uri"])
    return ""


def description(request: Mapping[str, Any], arn: str) -> dict[str, Any]:
    """As DescribeProcessingJob tells of a job that ended well, as far as later steps may ask."""
    return {**request, "ProcessingJobArn": arn, "ProcessingEndTime": time.time()}


def _local(path: str, here: Path) -> Path:
    return Path(path.replace(_ROOT, str(here)))
