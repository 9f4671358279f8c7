"""SageMaker Pipelines, through boto3."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from isocenter.backends.aws_calls import asking, aws_client, error_code, error_message
from isocenter.compilers.base import CompiledPipeline
from isocenter.errors import InputError
from isocenter.orchestrators.base import StepStage, StepStatus
from isocenter.targets.descriptor import DeploymentDescriptor

_STAGES: Mapping[str, StepStage] = {
    "Starting": StepStage.RUNNING,
    "Executing": StepStage.RUNNING,
    "Stopping": StepStage.RUNNING,
    "Stopped": StepStage.CANCELLED,
    "Failed": StepStage.FAILED,
    "Succeeded": StepStage.DONE,
}
_LONGEST_TEXT = 1_048_576


class SageMakerPipelines:
    """The pipelines of an account and region.

    Args:
        descriptor: of the target.
    """

    def __init__(self, descriptor: DeploymentDescriptor) -> None:
        self._descriptor = descriptor

    def submit(self, compiled: CompiledPipeline, parameters: Mapping[str, str], execution: str) -> str:
        """CreatePipeline or UpdatePipeline, then StartPipelineExecution, which is shown by our id."""
        name = self._name(compiled)
        if len(compiled.text) > _LONGEST_TEXT:
            raise InputError(
                f"The definition has {len(compiled.text)} characters; SageMaker takes {_LONGEST_TEXT}."
            )
        with asking():
            self._define(name, compiled, execution)
            if known := self._known(name, execution):
                return known
            started = self._client.start_pipeline_execution(
                PipelineName=name,
                PipelineExecutionDisplayName=execution,
                PipelineParameters=[
                    {"Name": key, "Value": value} for key, value in sorted(parameters.items())
                ],
                ClientRequestToken=_token(execution),
            )
        return str(started["PipelineExecutionArn"])

    def steps(self, external_id: str) -> Sequence[StepStatus]:
        """ListPipelineExecutionSteps."""
        with asking():
            pages = self._client.get_paginator("list_pipeline_execution_steps").paginate(
                PipelineExecutionArn=external_id, SortOrder="Ascending"
            )
            return [_status(step) for page in pages for step in page["PipelineExecutionSteps"]]

    @cached_property
    def _client(self) -> Any:
        return aws_client(self._descriptor, "sagemaker")

    def _name(self, compiled: CompiledPipeline) -> str:
        return compiled.file_name.partition(".")[0]

    def _define(self, name: str, compiled: CompiledPipeline, execution: str) -> None:
        from botocore.exceptions import ClientError

        given = {"PipelineName": name, "PipelineDefinition": compiled.text, "RoleArn": self._role}
        tags = [{"Key": key, "Value": value} for key, value in sorted(self._descriptor.labels.items())]
        try:
            self._client.create_pipeline(
                **given, ClientRequestToken=_token(execution), **({"Tags": tags} if tags else {})
            )
        except ClientError as error:
            if "already exists" not in error_message(error) and error_code(error) != "ResourceInUse":
                raise
            self._client.update_pipeline(**given)

    @property
    def _role(self) -> str:
        role = self._descriptor.identities.get("pipeline") or self._descriptor.identities.get("training")
        if not role:
            raise InputError(f"The target {self._descriptor.name} names no identity for pipelines.")
        return role

    def _known(self, name: str, execution: str) -> str | None:
        pages = self._client.get_paginator("list_pipeline_executions").paginate(PipelineName=name)
        for page in pages:
            for summary in page["PipelineExecutionSummaries"]:
                if summary.get("PipelineExecutionDisplayName") == execution:
                    return str(summary["PipelineExecutionArn"])
        return None


def _token(execution: str) -> str:
    """At least 32 characters."""
    return f"isocenter-{execution}".ljust(32, "-")


def _status(step: Mapping[str, Any]) -> StepStatus:
    stage = _STAGES.get(step["StepStatus"], StepStage.UNKNOWN)
    if stage is StepStage.DONE and step.get("CacheHitResult"):
        stage = StepStage.CACHED
    detail = step.get("FailureReason") or _job(step.get("Metadata", {}))
    return StepStatus(step["StepName"], stage, detail, step.get("StartTime"), step.get("EndTime"))


def _job(metadata: Mapping[str, Any]) -> str:
    arns = [str(job["Arn"]) for job in metadata.values() if isinstance(job, Mapping) and "Arn" in job]
    return arns[0].rpartition(":")[2] if arns else ""
