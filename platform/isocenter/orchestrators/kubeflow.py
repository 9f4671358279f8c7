"""Kubeflow Pipelines, by its REST interface: what is asked of it is two paths, so no SDK.

https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/
Address and token come as kfp's own client takes them: ``$KF_PIPELINES_ENDPOINT`` where the target names none,
and the token file ``$KF_PIPELINES_SA_TOKEN_PATH``, which Kubernetes projects into a pod.
"""

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import yaml

from isocenter.compilers.base import CompiledPipeline
from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IsocenterError,
    NotFoundError,
    PolicyError,
    TransientFaultError,
)
from isocenter.orchestrators.base import StepStage, StepStatus
from isocenter.targets.descriptor import DeploymentDescriptor

ENDPOINT = "kubeflow-pipelines"
_RUNS = "/apis/v2beta1/runs"
_TOKEN = "/var/run/secrets/kubeflow/pipelines/token"  # noqa: S105 - where kfp's client looks for it
_TIMEOUT_S = 60.0
_LONGEST_REASON = 600
_STAGES: Mapping[str, StepStage] = {
    "PENDING": StepStage.WAITING,
    "PAUSED": StepStage.WAITING,
    "RUNNING": StepStage.RUNNING,
    "CANCELING": StepStage.RUNNING,
    "SUCCEEDED": StepStage.DONE,
    "CACHED": StepStage.CACHED,
    "FAILED": StepStage.FAILED,
    "CANCELED": StepStage.CANCELLED,
    "SKIPPED": StepStage.SKIPPED,
}


class KubeflowPipelines:
    """The pipelines of a cluster.

    Args:
        descriptor: of the target; ``endpoints`` has the address of Kubeflow Pipelines.

    Raises:
        InputError: nothing names the address.
    """

    def __init__(self, descriptor: DeploymentDescriptor) -> None:
        self._name = descriptor.name
        address = descriptor.endpoints.get(ENDPOINT) or os.environ.get("KF_PIPELINES_ENDPOINT", "")
        if not address.startswith(("http://", "https://")):
            raise InputError(
                f"The target {descriptor.name} names no address of Kubeflow Pipelines.",
                hint=f"endpoints.{ENDPOINT} of its descriptor, or $KF_PIPELINES_ENDPOINT.",
            )
        self._address = address.rstrip("/")
        self._account = descriptor.identities.get("pipeline", "")

    def submit(self, compiled: CompiledPipeline, parameters: Mapping[str, str], execution: str) -> str:
        """Create a run that is shown by our id, unless there is one."""
        if known := self._known(execution):
            return known
        documents = list(yaml.safe_load_all(compiled.text))
        spec = documents[0]
        # As kfp's client sends a package of two documents.
        whole = spec if len(documents) == 1 else {"pipeline_spec": spec, "platform_spec": documents[1]}
        body: dict[str, Any] = {
            "display_name": execution,
            "description": spec["pipelineInfo"]["description"],
            "pipeline_spec": whole,
            "runtime_config": {
                "parameters": dict(parameters),
                "pipeline_root": spec["defaultPipelineRoot"],
            },
        }
        if self._account:
            body["service_account"] = self._account
        return str(self._ask("start the pipeline", "POST", _RUNS, body)["run_id"])

    def steps(self, external_id: str) -> Sequence[StepStatus]:
        """The tasks of the run; those that Kubeflow has beside them (drivers, the whole) have other names."""
        path = f"{_RUNS}/{quote(external_id, safe='')}"
        run = self._ask("look at the pipeline", "GET", path)
        return [_status(task) for task in run.get("run_details", {}).get("task_details", [])]

    def _known(self, execution: str) -> str | None:
        term = {"operation": "EQUALS", "key": "display_name", "string_value": execution}
        chosen = quote(json.dumps({"predicates": [term]}))
        found = self._ask("look for the pipeline", "GET", f"{_RUNS}?filter={chosen}").get("runs") or []
        return str(found[0]["run_id"]) if found else None

    def _ask(self, what: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        if token := _token():
            headers["Authorization"] = f"Bearer {token}"
        sent = None if body is None else json.dumps(body).encode()
        # The address is of http or https: checked above.
        request = Request(self._address + path, sent, headers, method=method)  # noqa: S310
        try:
            with urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
                return json.loads(answer.read())
        except HTTPError as error:
            raise _translated(error, what, self._name) from error
        except (URLError, OSError, ValueError) as error:
            raise TransientFaultError(f"{self._name} can't be reached: {type(error).__name__}.") from error


def _token() -> str:
    path = Path(os.environ.get("KF_PIPELINES_SA_TOKEN_PATH", _TOKEN))
    return path.read_text(encoding="utf-8").strip() if path.is_file() else ""


def _translated(error: HTTPError, what: str, target: str) -> IsocenterError:
    said = " ".join(error.read(4096).decode(errors="replace").split())[:_LONGEST_REASON]
    if error.code in (408, 429) or error.code >= 500:
        return TransientFaultError(f"{target} failed to {what} (HTTP {error.code}).")
    if error.code == 401:
        hint = "KF_PIPELINES_SA_TOKEN_PATH names the file with a token."
        return EnvironmentFaultError(f"{target} doesn't accept the credentials: {said}", hint=hint)
    if error.code == 403:
        hint = "Ask for the role kubeflow-pipelines-edit in its namespace."
        return PolicyError(f"Your account may not {what} on {target}: {said}", hint=hint)
    if error.code == 404:
        return NotFoundError(f"{target} has no such thing: {said}")
    return InputError(f"{target} refuses to {what}: {said}")


def _status(task: Mapping[str, Any]) -> StepStatus:
    stage = _STAGES.get(str(task.get("state")), StepStage.UNKNOWN)
    detail = str((task.get("error") or {}).get("message") or task.get("pod_name") or "")
    moments = (_moment(task.get("start_time")), _moment(task.get("end_time")))
    return StepStatus(str(task["display_name"]), stage, detail, *moments)


def _moment(text: Any) -> datetime | None:
    """Times that are not yet come as the year 1970, or not at all."""
    found = datetime.fromisoformat(text) if text else None
    return found if found is not None and found.year > 1970 else None
