"""Vertex AI Pipelines, through google-cloud-aiplatform.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.pipelineJobs
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from isocenter.backends.vertex_faults import explained
from isocenter.backends.vertex_request import label, location_of
from isocenter.compilers.base import CompiledPipeline
from isocenter.errors import InputError
from isocenter.orchestrators.base import StepStage, StepStatus
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import PipelineServiceClient

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TIMEOUT_S = 60.0
_STAGES: Mapping[str, StepStage] = {
    "PENDING": StepStage.WAITING,
    "RUNNING": StepStage.RUNNING,
    "CANCEL_PENDING": StepStage.RUNNING,
    "CANCELLING": StepStage.RUNNING,
    "SUCCEEDED": StepStage.DONE,
    "SKIPPED": StepStage.CACHED,  # Google's word for a result that it took from an earlier execution
    "FAILED": StepStage.FAILED,
    "CANCELLED": StepStage.CANCELLED,
    "NOT_TRIGGERED": StepStage.SKIPPED,
}


class VertexPipelines:
    """The pipelines of a project and region.

    Args:
        descriptor: of the target.
    """

    def __init__(self, descriptor: DeploymentDescriptor) -> None:
        self._descriptor = descriptor

    def submit(self, compiled: CompiledPipeline, parameters: Mapping[str, str], execution: str) -> str:
        """CreatePipelineJob, by our id: a project has one job of an id, however often it is asked for."""
        body = pipeline_job(self._descriptor, compiled, parameters, execution)
        job_id, parent = f"isocenter-{execution.lower()}", location_of(self._descriptor)
        with explained("start the pipeline", self._descriptor.name):
            from google.api_core.exceptions import AlreadyExists, Conflict
            from google.cloud.aiplatform_v1 import PipelineJob
            from google.protobuf.json_format import ParseDict

            message = PipelineJob.pb(PipelineJob())
            ParseDict(body, message)
            try:
                made = self._client.create_pipeline_job(
                    parent=parent,
                    pipeline_job=PipelineJob.wrap(message),
                    pipeline_job_id=job_id,
                    timeout=_TIMEOUT_S,
                )
            except (AlreadyExists, Conflict):
                made = self._get(f"{parent}/pipelineJobs/{job_id}")
        return str(made.name)

    def steps(self, external_id: str) -> Sequence[StepStatus]:
        """The task details of GetPipelineJob, but for the pipeline's own."""
        with explained("look at the pipeline", self._descriptor.name):
            job = self._get(external_id)
        return [_status(task) for task in job.job_detail.task_details]

    def _get(self, name: str) -> Any:
        return self._client.get_pipeline_job(name=name, timeout=_TIMEOUT_S)

    @cached_property
    def _client(self) -> "PipelineServiceClient":
        import google.auth
        from google.api_core.client_options import ClientOptions
        from google.auth.credentials import AnonymousCredentials
        from google.cloud.aiplatform_v1 import PipelineServiceClient

        regional = f"https://{self._descriptor.region}-aiplatform.googleapis.com"
        address = self._descriptor.endpoints.get("gcp") or regional
        anonymous = self._descriptor.emulated
        credentials = AnonymousCredentials() if anonymous else google.auth.default(scopes=[_SCOPE])[0]
        return PipelineServiceClient(
            credentials=credentials, transport="rest", client_options=ClientOptions(api_endpoint=address)
        )


def pipeline_job(
    descriptor: DeploymentDescriptor,
    compiled: CompiledPipeline,
    parameters: Mapping[str, str],
    execution: str,
) -> dict[str, Any]:
    """The PipelineJob's JSON. Pure.

    Raises:
        InputError: the target names no identity for pipelines.
    """
    account = descriptor.identities.get("pipeline") or descriptor.identities.get("training")
    if not account:
        raise InputError(f"The target {descriptor.name} names no identity for pipelines.")
    spec = yaml.safe_load(compiled.text)
    given = {**descriptor.labels, "isocenter-execution": execution}
    body: dict[str, Any] = {
        "displayName": spec["pipelineInfo"]["name"],
        "pipelineSpec": spec,
        "labels": {label(key): label(value) for key, value in given.items()},
        "serviceAccount": account,
        "runtimeConfig": {
            "gcsOutputDirectory": spec["defaultPipelineRoot"],
            "parameterValues": dict(parameters),
            "failurePolicy": "PIPELINE_FAILURE_POLICY_FAIL_FAST",
        },
    }
    if network := descriptor.settings.get("peered_network"):
        body["network"] = network
    if key := descriptor.keys.get("data"):
        body["encryptionSpec"] = {"kmsKeyName": key}
    return body


def _status(task: Any) -> StepStatus:
    stage = _STAGES.get(task.state.name, StepStage.UNKNOWN)
    job = str(task.executor_detail.container_detail.main_job)
    detail = str(task.error.message) or job.rpartition("/")[2]
    return StepStatus(task.task_name, stage, detail, task.start_time or None, task.end_time or None)
