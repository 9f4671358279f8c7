"""Azure ML's pipeline jobs, through azure-ai-ml.

https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-pipeline
"""

import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from isocenter.backends.azureml_client import open_client
from isocenter.backends.azureml_faults import explained
from isocenter.compilers.base import CompiledPipeline
from isocenter.orchestrators.base import StepStage, StepStatus
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_STAGES: Mapping[str, StepStage] = {
    "Completed": StepStage.DONE,
    "Failed": StepStage.FAILED,
    "Canceled": StepStage.CANCELLED,
    "NotResponding": StepStage.UNKNOWN,
    **dict.fromkeys(("Running", "Finalizing", "CancelRequested"), StepStage.RUNNING),
    **dict.fromkeys(
        ("NotStarted", "Starting", "Provisioning", "Preparing", "Queued", "Scheduled", "Paused"),
        StepStage.WAITING,
    ),
}
# Where a result was taken from an earlier job, its run says so by this property.
_REUSED = "azureml.isreused"


class AzureMlPipelines:
    """The pipelines of a workspace.

    Args:
        descriptor: of the target.
    """

    def __init__(self, descriptor: DeploymentDescriptor) -> None:
        self._descriptor = descriptor

    def submit(self, compiled: CompiledPipeline, parameters: Mapping[str, str], execution: str) -> str:
        """Create the job that is named by our id, unless it is there: a workspace has one job of a name."""
        name = f"isocenter-{execution.lower()}"
        if self._is_there(name):
            return name
        body = yaml.safe_load(compiled.text)
        body["name"] = name
        body["inputs"] |= parameters
        # A set commit keeps the SDK from adding repository and branch of the folder that the user stands in.
        body["properties"] = {"mlflow.source.git.commit": ""}
        with self._asking("start the pipeline"):
            from azure.ai.ml import load_job

            self._client.jobs.create_or_update(load_job(io.StringIO(yaml.safe_dump(body))))
        return name

    def steps(self, external_id: str) -> Sequence[StepStatus]:
        """The children of the pipeline's job; each is shown by the name of its step."""
        with self._asking("look at the pipeline"):
            # The SDK's public list of children leaves out when they began and ended, and why they failed.
            asked, settings = self._client.jobs._runs_operations._operation, self._descriptor.settings
            place = (settings["subscription"], settings["resource_group"], self._descriptor.workspace)
            return [_status(child) for child in asked.get_child(*place, external_id)]

    def _is_there(self, name: str) -> bool:
        with self._asking("look for the pipeline"):
            from azure.core.exceptions import ResourceNotFoundError

            try:
                self._client.jobs.get(name)
            except ResourceNotFoundError:
                return False
        return True

    @cached_property
    def _client(self) -> "MLClient":
        return open_client(self._descriptor)

    def _asking(self, what: str) -> Any:
        return explained(what, self._descriptor.name)


def _status(child: Any) -> StepStatus:
    stage = _STAGES.get(str(child.status), StepStage.UNKNOWN)
    if stage is StepStage.DONE and str((child.properties or {}).get(_REUSED)).lower() == "true":
        stage = StepStage.CACHED
    error = child.error.error if child.error else None
    detail = " ".join(str(error.message).split()) if error and error.message else str(child.run_id)
    return StepStatus(
        str(child.display_name), stage, detail, _moment(child.start_time_utc), _moment(child.end_time_utc)
    )


def _moment(value: Any) -> datetime | None:
    return value if isinstance(value, datetime) else None
