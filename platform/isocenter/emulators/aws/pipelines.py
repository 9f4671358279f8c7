"""Executions of SageMaker pipelines: definitions are kept by moto, their steps are run here.

Training and Processing steps, parameters, ``Get`` and ``Std:Join``, dependencies and caching. Retry policies
are ignored: they are for faults that this service doesn't have. Executions are kept in memory.
https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines.html
"""

import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.emulators.aws.buckets import Transfer
from isocenter.emulators.aws.clients import ACCOUNT, Clients
from isocenter.emulators.aws.processing import description, process
from isocenter.emulators.aws.request_check import check_request
from isocenter.emulators.aws.service_error import ServiceError, invalid
from isocenter.emulators.aws.training_jobs import TrainingJobs

Json = dict[str, Any]
_PART = re.compile(r"^(\w+)(?:\['(\w+)'\])?$")
_OVER = ("Completed", "Failed", "Stopped")
_POLL_S = 0.05
_NAMED = {"Outputs": "OutputName", "ProcessingInputs": "InputName"}


@dataclass
class _Execution:
    """One execution, as it is described."""

    arn: str
    pipeline: str
    name: str
    token: str
    values: Mapping[str, str]
    definition: Json
    created: float = field(default_factory=time.time)
    status: str = "Executing"
    steps: list[Json] = field(default_factory=list)
    described: dict[str, Json] = field(default_factory=dict)

    @property
    def summary(self) -> Json:
        return {
            "PipelineExecutionArn": self.arn,
            "StartTime": self.created,
            "PipelineExecutionStatus": self.status,
            "PipelineExecutionDisplayName": self.name,
        }


class Pipelines:
    """All executions of the emulated account.

    Args:
        folder: for what processing jobs write.
        clients: of the account.
        jobs: run training steps.
    """

    def __init__(self, folder: Path, clients: Clients, jobs: TrainingJobs) -> None:
        self._folder, self._clients, self._jobs = folder, clients, jobs
        self._lock = threading.RLock()
        self._known: dict[str, _Execution] = {}
        self._results: dict[str, tuple[str, Json]] = {}
        self._closed = threading.Event()
        self._operations: Mapping[str, Callable[[Mapping[str, Any], str], Json]] = {
            "StartPipelineExecution": self._start,
            "DescribePipelineExecution": self._describe,
            "ListPipelineExecutions": self._list,
            "ListPipelineExecutionSteps": self._list_steps,
        }

    def answers(self, operation: str) -> bool:
        """Whether this call is answered here."""
        return operation in self._operations

    def do(self, operation: str, request: Mapping[str, Any], region: str) -> Json:
        """The service's answer.

        Raises:
            ServiceError: the request is refused.
        """
        check_request(operation, request)
        with self._lock:
            return self._operations[operation](request, region)

    def close(self) -> None:
        """Begin no further step."""
        self._closed.set()

    def _start(self, request: Mapping[str, Any], region: str) -> Json:
        name, token = request["PipelineName"], request["ClientRequestToken"]
        for known in self._known.values():
            if (known.pipeline, known.token) == (name, token):
                return {"PipelineExecutionArn": known.arn}
        definition = self._definition(name, region)
        values = _values(definition, request.get("PipelineParameters", ()))
        arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:pipeline/{name}/execution/{secrets.token_hex(6)}"
        shown = request.get("PipelineExecutionDisplayName", "")
        made = _Execution(arn, name, shown, token, values, definition)
        self._known[arn] = made
        threading.Thread(target=self._run, args=(made, region), daemon=True).start()
        return {"PipelineExecutionArn": arn}

    def _definition(self, name: str, region: str) -> Json:
        from botocore.exceptions import ClientError

        try:
            found = self._clients.client("sagemaker", region).describe_pipeline(PipelineName=name)
        except ClientError as error:
            message = f"Pipeline '{name}' does not exist."
            raise ServiceError("ResourceNotFound", message) from error
        definition: Json = json.loads(found["PipelineDefinition"])
        return definition

    def _describe(self, request: Mapping[str, Any], _: str) -> Json:
        found = self._execution(request["PipelineExecutionArn"])
        arn = found.arn.partition("/execution/")[0]
        return {"PipelineArn": arn, "CreationTime": found.created, **_without(found.summary, "StartTime")}

    def _list(self, request: Mapping[str, Any], _: str) -> Json:
        mine = [each for each in self._known.values() if each.pipeline == request["PipelineName"]]
        return {"PipelineExecutionSummaries": [each.summary for each in reversed(mine)]}

    def _list_steps(self, request: Mapping[str, Any], _: str) -> Json:
        steps = [dict(step) for step in self._execution(request["PipelineExecutionArn"]).steps]
        return {"PipelineExecutionSteps": steps if request.get("SortOrder") == "Ascending" else steps[::-1]}

    def _execution(self, arn: str) -> _Execution:
        if arn not in self._known:
            raise ServiceError("ResourceNotFound", f"Pipeline execution with ARN {arn} does not exist.")
        return self._known[arn]

    def _run(self, made: _Execution, region: str) -> None:
        for step in _ordered(made.definition["Steps"]):
            row: Json = {"StepName": step["Name"], "StartTime": time.time(), "StepStatus": "Executing"}
            made.steps.append(row)
            try:
                failure = self._step(made, step, row, region)
            except ServiceError as error:
                failure = f"ClientError: {error.message}"
            except Exception as error:  # whatever it is, the step has an end and says so
                failure = f"InternalError: {type(error).__name__}: {error}"
            ended = {"EndTime": time.time(), "StepStatus": "Failed" if failure else "Succeeded"}
            row |= {**ended, "FailureReason": failure} if failure else ended
            if failure or self._closed.is_set():
                made.status = "Failed"
                return
        made.status = "Succeeded"

    def _step(self, made: _Execution, step: Json, row: Json, region: str) -> str:
        """Why it failed; empty where it did not."""
        request = _resolved(step["Arguments"], made)
        key = json.dumps([step["Type"], _without(request, "Tags")], sort_keys=True)
        if step.get("CacheConfig", {}).get("Enabled") and key in self._results:
            source, made.described[step["Name"]] = self._results[key]
            row["CacheHitResult"] = {"SourcePipelineExecutionArn": source}
            return ""
        name = f"pipelines-{made.arn.rpartition('/')[2]}-{step['Name']}-{secrets.token_hex(5)}"[:63]
        run = {"Training": self._train, "Processing": self._process}.get(step["Type"])
        if run is None:
            raise invalid(f"The emulator runs no steps of type {step['Type']}.")
        failure, described = run(name, request, row, region)
        if not failure:
            made.described[step["Name"]] = described
            self._results[key] = made.arn, described
        return failure

    def _train(self, name: str, request: Json, row: Json, region: str) -> tuple[str, Json]:
        made = self._jobs.do("CreateTrainingJob", {**request, "TrainingJobName": name}, region)
        row["Metadata"] = {"TrainingJob": {"Arn": made["TrainingJobArn"]}}
        while True:
            found = dict(self._jobs.do("DescribeTrainingJob", {"TrainingJobName": name}, region))
            if found["TrainingJobStatus"] in _OVER:
                break
            time.sleep(_POLL_S)
        failed = found["TrainingJobStatus"] != "Completed"
        return (found.get("FailureReason") or found["TrainingJobStatus"]) if failed else "", found

    def _process(self, name: str, request: Json, row: Json, region: str) -> tuple[str, Json]:
        wanted = {**request, "ProcessingJobName": name}
        check_request("CreateProcessingJob", wanted)
        arn = f"arn:aws:sagemaker:{region}:{ACCOUNT}:processing-job/{name}"
        row["Metadata"] = {"ProcessingJob": {"Arn": arn}}
        transfer = Transfer(self._clients.client("s3", region))
        return process(wanted, region, self._folder / name, transfer), description(wanted, arn)


def _values(definition: Json, given: Any) -> dict[str, str]:
    wanted = {each["Name"]: each.get("DefaultValue") for each in definition.get("Parameters", ())}
    values = {each["Name"]: each["Value"] for each in given}
    if unknown := values.keys() - wanted.keys():
        raise invalid(f"Unknown parameters: {sorted(unknown)}")
    found = {**wanted, **values}
    if missing := sorted(name for name, value in found.items() if value is None):
        raise invalid(f"Parameters without a value: {missing}")
    return {name: str(value) for name, value in found.items()}


def _ordered(steps: list[Json]) -> list[Json]:
    left = list(steps)
    found: list[Json] = []
    while left:
        done = {step["Name"] for step in found}
        ready = [step for step in left if done.issuperset(step.get("DependsOn", ()))]
        if not ready:
            raise invalid("The steps depend on one another.")
        found.append(ready[0])
        left.remove(ready[0])
    return found


def _resolved(value: Any, made: _Execution) -> Any:
    if isinstance(value, list):
        return [_resolved(each, made) for each in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {"Std:Join"}:
        join = value["Std:Join"]
        return str(join["On"]).join(_resolved(join["Values"], made))
    if set(value) == {"Get"}:
        return _got(value["Get"], made)
    return {key: _resolved(each, made) for key, each in value.items()}


def _got(path: str, made: _Execution) -> str:
    kind, name, *rest = path.split(".")
    if kind == "Parameters" and not rest:
        return made.values[name]
    found: Any = made.described[name]
    for part in rest:
        match = _PART.match(part)
        if match is None or match[1] not in found:
            raise invalid(f"There is no {path}.")
        found = found[match[1]]
        if match[2]:
            found = next(each for each in found if each[_NAMED[match[1]]] == match[2])
    return str(found)


def _without(value: Json, name: str) -> Json:
    return {key: each for key, each in value.items() if key != name}
