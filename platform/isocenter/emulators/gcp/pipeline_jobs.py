"""PipelineJobs of the emulated Vertex AI: kfp's IR, each task's container run as a CustomJob, as Google does.

As far as the IR of container steps goes: parameters, artifacts by their place, dependencies, retries (waits
are cut short) and caching. Jobs are kept in memory: an emulator that was started again knows none.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isocenter.emulators.gcp.custom_jobs import CustomJobs
from isocenter.emulators.gcp.service_error import ServiceError

Json = dict[str, Any]
_POLL_S = 0.05
_LONGEST_WAIT_S = 0.5
_GOOD = ("SUCCEEDED", "SKIPPED")


class PipelineJobs:
    """All PipelineJobs of the emulated project.

    Args:
        jobs: run the tasks' containers.
    """

    def __init__(self, jobs: CustomJobs) -> None:
        self._jobs = jobs
        self._lock = threading.RLock()
        self._known: dict[str, Any] = {}
        self._results: dict[str, Mapping[str, str]] = {}
        self._closed = threading.Event()

    def create(self, parent: str, job_id: str, given: Any) -> Any:
        """Start a pipeline; returns it as it is answered.

        Raises:
            ServiceError: there is one of that id, or its spec is broken.
        """
        from google.cloud.aiplatform_v1 import PipelineJob
        from google.protobuf.json_format import MessageToDict

        message = PipelineJob.pb(PipelineJob())
        message.CopyFrom(given)
        message.name = f"{parent}/pipelineJobs/{job_id}"
        plan = _Plan(MessageToDict(message.pipeline_spec), _values(message), message)
        with self._lock:
            if message.name in self._known:
                raise ServiceError(409, f"A PipelineJob {job_id} exists already.")
            self._known[message.name] = message
            _set(message, "PIPELINE_STATE_RUNNING")
            message.create_time.GetCurrentTime()
            message.start_time.GetCurrentTime()
            for name in plan.order:
                message.job_detail.task_details.add(task_name=name, state=_task_state("PENDING"))
            answer = _copy(message)
        threading.Thread(target=self._run, args=(parent, message, plan), daemon=True).start()
        return answer

    def get(self, name: str) -> Any:
        """A copy of the pipeline's job.

        Raises:
            ServiceError: there is none.
        """
        with self._lock:
            # The project may be given by its id; names hold its number.
            found = [job for known, job in self._known.items() if known.split("/")[2:] == name.split("/")[2:]]
            if not found:
                raise ServiceError(404, f"The PipelineJob does not exist: {name}")
            return _copy(found[0])

    def close(self) -> None:
        """Begin no further task."""
        self._closed.set()

    def _run(self, parent: str, message: Any, plan: "_Plan") -> None:
        for detail in message.job_detail.task_details:
            needed = plan.tasks[detail.task_name].get("dependentTasks", [])
            if self._closed.is_set() or any(plan.ended[name] not in _GOOD for name in needed):
                plan.ended[detail.task_name] = "NOT_TRIGGERED"
                self._note(message, detail, "NOT_TRIGGERED")
                continue
            plan.ended[detail.task_name] = self._task(parent, message, detail, plan)
        is_good = all(state in _GOOD for state in plan.ended.values())
        with self._lock:
            message.end_time.GetCurrentTime()
            _set(message, "PIPELINE_STATE_SUCCEEDED" if is_good else "PIPELINE_STATE_FAILED")

    def _task(self, parent: str, message: Any, detail: Any, plan: "_Plan") -> str:
        key = plan.cache_key(detail.task_name)
        if key and key in self._results:
            plan.artifacts |= {(detail.task_name, n): uri for n, uri in self._results[key].items()}
            self._note(message, detail, "SKIPPED")
            return "SKIPPED"
        self._note(message, detail, "RUNNING")
        state = ""
        for wait in plan.waits(detail.task_name):
            time.sleep(wait)
            state = self._once(parent, message, detail, plan)
            if state == "SUCCEEDED":
                break
        if key and state == "SUCCEEDED":
            self._results[key] = plan.outputs(detail.task_name)
        self._note(message, detail, state)
        return state

    def _once(self, parent: str, message: Any, detail: Any, plan: "_Plan") -> str:
        from google.cloud.aiplatform_v1 import CustomJob, JobState
        from google.protobuf.json_format import ParseDict

        job = CustomJob.pb(CustomJob())
        spec = {"workerPoolSpecs": [{"replicaCount": 1, "containerSpec": plan.container(detail.task_name)}]}
        ParseDict({"displayName": detail.task_name, "jobSpec": spec}, job)
        name = self._jobs.create(parent, job).name
        with self._lock:
            detail.executor_detail.container_detail.main_job = name
        while True:
            found = self._jobs.get(name)
            state = str(JobState(found.state).name).removeprefix("JOB_STATE_")
            if state in ("SUCCEEDED", "FAILED", "CANCELLED"):
                break
            time.sleep(_POLL_S)
        with self._lock:
            detail.error.CopyFrom(found.error)
        return state

    def _note(self, message: Any, detail: Any, state: str) -> None:
        with self._lock:
            detail.state = _task_state(state)
            (detail.start_time if state == "RUNNING" else detail.end_time).GetCurrentTime()
            message.update_time.GetCurrentTime()


class _Plan:
    """One execution of an IR: what each task is given, in which order."""

    def __init__(self, spec: Json, values: Mapping[str, str], message: Any) -> None:
        try:
            self.tasks: Json = spec["root"]["dag"]["tasks"]
            wanted = spec["root"].get("inputDefinitions", {}).get("parameters", {})
            self._values = {
                **{n: p["defaultValue"] for n, p in wanted.items() if "defaultValue" in p},
                **values,
            }
            self._spec, self._root = spec, message.runtime_config.gcs_output_directory.rstrip("/")
            self._id = message.name.rpartition("/")[2]
            self.artifacts: dict[tuple[str, str], str] = {}
            self.ended: dict[str, str] = {}
            self.order = list(_ordered(self.tasks))
            for name in self.order:
                self.artifacts |= {(name, n): uri for n, uri in self.outputs(name).items()}
            for name in self.order:
                self.container(name)
        except KeyError as error:
            raise ServiceError(400, f"The pipeline's spec or its parameters lack {error}.") from error
        if unknown := values.keys() - wanted.keys():
            raise ServiceError(400, f"The pipeline has no parameters {sorted(unknown)}.")

    def outputs(self, task: str) -> dict[str, str]:
        """Artifact -> where the task leaves it."""
        made = self._component(task).get("outputDefinitions", {}).get("artifacts", {})
        kept = {name: self.artifacts.get((task, name)) for name in made}
        return {n: uri or f"{self._root}/{self._id}/{task}/{n}" for n, uri in kept.items()}

    def container(self, task: str) -> Json:
        """The ContainerSpec, with its placeholders filled in."""
        executors = self._spec["deploymentSpec"]["executors"]
        found = executors[self._component(task)["executorLabel"]]["container"]
        beside = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        return {
            "imageUri": found["image"],
            "command": [self._filled(task, word) for word in found.get("command", [])],
            "args": [self._filled(task, word) for word in found.get("args", [])],
            # The image's programs are those of this machine.
            "env": [*found.get("env", []), {"name": "PATH", "value": beside}],
        }

    def cache_key(self, task: str) -> str:
        """What an earlier result must have been made of; empty where none is taken."""
        options = self.tasks[task].get("cachingOptions", {})
        if not options.get("enableCache"):
            return ""
        return json.dumps([options.get("cacheKey", ""), self._inputs(task)], sort_keys=True)

    def waits(self, task: str) -> Iterator[float]:
        """Seconds before each try."""
        yield 0.0
        for _ in range(int(self.tasks[task].get("retryPolicy", {}).get("maxRetryCount", 0))):
            yield _LONGEST_WAIT_S

    def _component(self, task: str) -> Json:
        found: Json = self._spec["components"][self.tasks[task]["componentRef"]["name"]]
        return found

    def _inputs(self, task: str) -> dict[str, str]:
        given, found = self.tasks[task].get("inputs", {}), {}
        for name, source in given.get("parameters", {}).items():
            value = self._values[source["componentInputParameter"]]
            found[f"{{{{$.inputs.parameters['{name}']}}}}"] = value
        for name, source in given.get("artifacts", {}).items():
            made = source["taskOutputArtifact"]
            uri = self.artifacts[made["producerTask"], made["outputArtifactKey"]]
            found[f"{{{{$.inputs.artifacts['{name}'].uri}}}}"] = uri
        return found

    def _filled(self, task: str, word: str) -> str:
        places = {f"{{{{$.outputs.artifacts['{n}'].uri}}}}": uri for n, uri in self.outputs(task).items()}
        for placeholder, value in {**self._inputs(task), **places}.items():
            word = word.replace(placeholder, value)
        if "{{$" in word:
            raise ServiceError(
                400, f"The task {task} names what it is not given: {word[word.index('{{$') :]}"
            )
        return word


def _ordered(tasks: Json) -> Iterator[str]:
    """Names in an order in which they can run.

    Raises:
        KeyError: a task needs one that isn't there, or itself.
    """
    left = dict(tasks)
    while left:
        ready = [n for n, t in left.items() if not left.keys() & {*t.get("dependentTasks", [])}]
        if not ready or any(need not in tasks for n in ready for need in left[n].get("dependentTasks", [])):
            raise KeyError("dependentTasks")
        for name in ready:
            del left[name]
            yield name


def _values(message: Any) -> dict[str, str]:
    from google.protobuf.json_format import MessageToDict

    return {name: MessageToDict(value) for name, value in message.runtime_config.parameter_values.items()}


def _set(message: Any, state: str) -> None:
    from google.cloud.aiplatform_v1 import PipelineState

    message.state = int(PipelineState[state])


def _task_state(name: str) -> int:
    from google.cloud.aiplatform_v1 import PipelineTaskDetail

    return int(PipelineTaskDetail.State[name])


def _copy(message: Any) -> Any:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy
