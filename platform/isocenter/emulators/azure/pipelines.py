"""Pipeline jobs of the emulated workspace: each node is run as a command job, as Azure ML does.

Values of the parent's inputs, files that flow from node to node, and results that are taken from an earlier
job of the same component and inputs. Kept in memory: an emulator that was started again knows none.
"""

import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.emulators.azure.job_record import FINAL, now
from isocenter.emulators.azure.workspace import RefusedError, Workspace

Json = dict[str, Any]
_PARENT = re.compile(r"^\$\{\{parent\.inputs\.(\w+)\}\}$")
_SIBLING = re.compile(r"^\$\{\{parent\.jobs\.(\w+)\.outputs\.(\w+)\}\}$")
_OWN = re.compile(r"\$\{\{inputs\.(\w+)\}\}")
_COMPONENT = re.compile(r"/components/([^/]+)/versions/([^/]+)$")
_SERVERLESS = "/serverless"
_POLL_S = 0.05


class Pipelines:
    """The pipeline jobs of one workspace.

    Args:
        workspace: runs the nodes' jobs.
        variables: that each container gets beside its own: where the storage is.
    """

    def __init__(self, workspace: Workspace, variables: Mapping[str, str]) -> None:
        self._workspace = workspace
        self._variables = dict(variables)
        self._jobs: dict[str, _Pipeline] = {}
        self._results: dict[str, Mapping[str, str]] = {}
        self._closed = threading.Event()

    def close(self) -> None:
        """Begin no further node."""
        self._closed.set()

    def put(self, name: str, properties: Json) -> bool:
        """Start a pipeline, or find it; True where it is new.

        Raises:
            RefusedError: it names what isn't there.
        """
        if name in self._jobs:
            return False
        made = _Pipeline(properties, self._workspace)
        self._jobs[name] = made
        threading.Thread(target=self._run, args=(made,), daemon=True).start()
        return True

    def get(self, name: str) -> tuple[Json, str] | None:
        """Its properties and status; None where there is none."""
        found = self._jobs.get(name)
        return None if found is None else (found.properties, found.status)

    def children(self, name: str) -> list[Json]:
        """The runs of its nodes, in the words of the history of runs.

        Raises:
            RefusedError: there is no such pipeline.
        """
        if name not in self._jobs:
            raise RefusedError(404, "UserError", f"No run {name} was found.")
        return [self._child(name, node, run) for node, run in self._jobs[name].runs.items()]

    def _child(self, parent: str, node: str, run: str) -> Json:
        reused = self._jobs[parent].reused.get(node)
        known = {"displayName": node, "runId": run, "parentRunId": parent, "rootRunId": parent}
        if reused:
            times = {"startTimeUtc": reused, "endTimeUtc": reused}
            return {**known, **times, "status": "Completed", "properties": {"azureml.isreused": "true"}}
        record = self._workspace.job(run)
        times = {"startTimeUtc": record["started"], "endTimeUtc": record["ended"]}
        return {**known, **times, "status": record.status, "error": record["error"], "properties": {}}

    def _run(self, made: "_Pipeline") -> None:
        made.status = "Running"
        for node in made.order:
            if self._closed.is_set() or not self._node(made, node):
                made.status = "Failed"
                return
        made.status = "Completed"

    def _node(self, made: "_Pipeline", node: str) -> bool:
        run, key = str(uuid.uuid4()), made.key(node)
        if key and key in self._results:
            made.take(node, self._results[key])
            made.reused[node] = now()
            made.runs[node] = run
            return True
        job = made.command_job(node, run)
        job["environmentVariables"] |= self._variables
        record, _ = self._workspace.put_job(run, job)
        made.runs[node] = run
        while record.status not in FINAL:
            time.sleep(_POLL_S)
        if record.status != "Completed":
            return False
        made.take(node, {name: output["uri"] for name, output in job["outputs"].items()})
        if key:
            self._results[key] = made.left(node)
        return True


class _Pipeline:
    """One pipeline job: what each node is given, in which order, and what has been left."""

    def __init__(self, properties: Json, workspace: Workspace) -> None:
        self.properties, self.status = properties, "NotStarted"
        self.runs: dict[str, str] = {}
        self.reused: dict[str, str] = {}
        self._left: dict[tuple[str, str], str] = {}
        self._values = {name: one.get("value") for name, one in (properties.get("inputs") or {}).items()}
        self._nodes: Json = properties.get("jobs") or {}
        self._components = {name: _component(node, workspace) for name, node in self._nodes.items()}
        self.order = list(self._ordered())

    def take(self, node: str, outputs: Mapping[str, str]) -> None:
        """Note what a node left."""
        self._left |= {(node, name): uri for name, uri in outputs.items()}

    def left(self, node: str) -> dict[str, str]:
        """Output -> where it is."""
        return {name: uri for (of, name), uri in self._left.items() if of == node}

    def key(self, node: str) -> str:
        """What an earlier result must have been made of; empty where none is taken."""
        spec = self._components[node]
        settings = self.properties.get("settings") or {}
        if not spec.get("is_deterministic", True) or settings.get("force_rerun"):
            return ""
        return json.dumps([spec["command"], spec["environment"], self._given(node)], sort_keys=True)

    def command_job(self, node: str, run: str) -> Json:
        """The properties of the job that is the node's."""
        wanted, spec = self._nodes[node], self._components[node]
        given, declared = self._given(node), spec.get("inputs") or {}
        texts = {name: value for name, value in given.items() if declared[name]["type"] == "string"}
        resources = wanted.get("resources") or {}
        compute = str(wanted.get("computeId") or "")
        job: Json = {
            "jobType": "Command",
            "command": _OWN.sub(lambda found: texts.get(found[1], found[0]), spec["command"]),
            "environmentId": spec["environment"].removeprefix("azureml:"),
            "environmentVariables": dict(wanted.get("environment_variables") or {}),
            "inputs": {
                name: {"jobInputType": "uri_folder", "uri": value, "mode": "ReadOnlyMount"}
                for name, value in given.items()
                if name not in texts
            },
            "outputs": {
                name: {
                    "jobOutputType": "uri_folder",
                    "uri": output["uri"].replace("${{name}}", run),
                    "mode": output["mode"],
                }
                for name, output in (wanted.get("outputs") or {}).items()
            },
            "resources": {
                "instanceCount": resources.get("instance_count", 1),
                "instanceType": resources.get("instance_type"),
            },
            "limits": {"jobLimitsType": "Command", "timeout": (wanted.get("limits") or {}).get("timeout")},
        }
        return job if compute.endswith(_SERVERLESS) else {**job, "computeId": compute}

    def _given(self, node: str) -> dict[str, str]:
        found = {}
        for name, one in (self._nodes[node].get("inputs") or {}).items():
            value = str(one["value"])
            if match := _PARENT.match(value):
                value = str(self._values[match[1]])
            elif match := _SIBLING.match(value):
                value = self._left[match[1], match[2]]
            found[name] = value
        return found

    def _needs(self, node: str) -> set[str]:
        values = [str(one["value"]) for one in (self._nodes[node].get("inputs") or {}).values()]
        for value in values:
            if (match := _PARENT.match(value)) and match[1] not in self._values:
                raise RefusedError(400, "UserError", f"The node {node} needs {value}, which isn't given.")
            if (match := _SIBLING.match(value)) and match[2] not in self._nodes.get(match[1], {}).get(
                "outputs", {}
            ):
                raise RefusedError(400, "UserError", f"The node {node} needs {value}, which isn't there.")
        return {match[1] for value in values if (match := _SIBLING.match(value))}

    def _ordered(self) -> Iterator[str]:
        left = {name: self._needs(name) for name in self._nodes}
        while left:
            ready = [name for name, needs in left.items() if not needs & left.keys()]
            if not ready:
                raise RefusedError(400, "UserError", "The pipeline's nodes need one another.")
            for name in ready:
                del left[name]
                yield name


def _component(node: Json, workspace: Workspace) -> Json:
    match = _COMPONENT.search(str(node.get("componentId")))
    if match is None:
        raise RefusedError(400, "UserError", "A node names no component's version.")
    spec: Json = workspace.asset("components", match[1], match[2])["componentSpec"]
    return spec
