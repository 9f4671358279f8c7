"""The steps that each format holds, read out of its text alone, in the words of the neutral spec."""

import ast
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

_KEY = "ISOCENTER_STEP_KEY"


@dataclass(frozen=True)
class Row:
    """One step: what it needs, when it runs, how often again and after how long, its limit, its key."""

    needs: tuple[str, ...]
    only_if_all_succeeded: bool
    retries: int
    wait_s: int | None
    factor: float | None
    timeout_s: int | None
    key: str
    cached: bool


@dataclass(frozen=True)
class ReadBack:
    """A whole pipeline: steps by name, in order, and parameters with their defaults."""

    steps: Mapping[str, Row]
    parameters: Mapping[str, str | None]


def _sagemaker(text: str) -> ReadBack:
    definition = json.loads(text)

    def row(step: dict[str, Any]) -> Row:
        policies = step.get("RetryPolicies", [])
        first = policies[0] if policies else {}
        return Row(
            needs=tuple(step.get("DependsOn", ())),
            only_if_all_succeeded=True,  # a step that fails ends the execution: there is nothing else
            retries=first.get("MaxAttempts", 0),
            wait_s=first.get("IntervalSeconds"),
            factor=first.get("BackoffRate"),
            timeout_s=step["Arguments"]["StoppingCondition"]["MaxRuntimeInSeconds"],
            key=step["Arguments"]["Environment"][_KEY],
            cached=step.get("CacheConfig", {}).get("Enabled", False),
        )

    parameters = {each["Name"]: each.get("DefaultValue") for each in definition["Parameters"]}
    return ReadBack({step["Name"]: row(step) for step in definition["Steps"]}, parameters)


def _kfp(text: str) -> ReadBack:
    ir = next(iter(yaml.safe_load_all(text)))
    tasks = ir["root"]["dag"]["tasks"]
    order = sorted(tasks, key=lambda name: len(_ancestors(tasks, name)))

    def row(name: str) -> Row:
        task = tasks[name]
        executor = ir["components"][task["componentRef"]["name"]]["executorLabel"]
        container = ir["deploymentSpec"]["executors"][executor]["container"]
        command, retry = container["command"], task.get("retryPolicy", {})
        key = {each["name"]: each["value"] for each in container["env"]}[_KEY]
        caching = task["cachingOptions"]
        assert caching.get("cacheKey", key) == key
        return Row(
            needs=tuple(task.get("dependentTasks", ())),
            only_if_all_succeeded=task.get("triggerPolicy", {}).get(
                "strategy", "ALL_UPSTREAM_TASKS_SUCCEEDED"
            )
            == "ALL_UPSTREAM_TASKS_SUCCEEDED",
            retries=retry.get("maxRetryCount", 0),
            wait_s=int(retry["backoffDuration"].rstrip("s")) if retry else None,
            factor=retry.get("backoffFactor"),
            timeout_s=int(command[3]) if command[0] == "timeout" else None,
            key=key,
            cached=caching.get("enableCache", False),
        )

    parameters = ir["root"]["inputDefinitions"]["parameters"]
    return ReadBack(
        {name: row(name) for name in order}, {name: p.get("defaultValue") for name, p in parameters.items()}
    )


def _ancestors(tasks: Mapping[str, Any], name: str) -> set[str]:
    needs = set(tasks[name].get("dependentTasks", ()))
    return needs.union(*(_ancestors(tasks, each) for each in needs))


def _azureml(text: str) -> ReadBack:
    job = yaml.safe_load(text)

    def row(node: dict[str, Any]) -> Row:
        component = node["component"]
        loop = re.match(r"for wait in ([\d ]+); do ", component["command"])
        waits = [int(each) for each in loop[1].split()] if loop else []
        bindings = re.findall(r"parent\.jobs\.(\w+)\.outputs", json.dumps(node["inputs"]))
        limit = re.search(r"timeout --signal=TERM --kill-after=\d+ (\d+) ", component["command"])
        return Row(
            needs=tuple(dict.fromkeys(bindings)),
            only_if_all_succeeded=not job["settings"]["continue_on_step_failure"],
            retries=len(waits),
            wait_s=waits[0] if waits else None,
            factor=waits[1] / waits[0] if waits else None,
            timeout_s=int(limit[1]) if limit else None,
            key=node["environment_variables"][_KEY],
            cached=component["is_deterministic"] and not job["settings"]["force_rerun"],
        )

    return ReadBack({name: row(node) for name, node in job["jobs"].items()}, job["inputs"])


def _local(text: str) -> ReadBack:
    body = json.loads(text)

    def row(step: dict[str, Any]) -> Row:
        has = bool(step["retries"])
        return Row(
            needs=tuple(step["needs"]),
            only_if_all_succeeded=step["when"] in ("all-succeeded", "gate-passed"),
            retries=step["retries"],
            wait_s=step["retry_wait_s"] if has else None,
            factor=step["retry_factor"] if has else None,
            timeout_s=step["timeout_s"],
            key=step["cache_key"],
            cached=step["cached"],
        )

    return ReadBack({step["name"]: row(step) for step in body["steps"]}, {})


def _airflow(text: str) -> ReadBack:
    """Without Airflow: its own reading of the file is in test_airflow.py."""
    found = next(
        node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "STEPS"
    )

    def row(step: dict[str, Any]) -> Row:
        has = bool(step["retries"])
        return Row(
            needs=tuple(step["needs"]),
            only_if_all_succeeded=step["trigger_rule"] == "all_success",
            retries=step["retries"],
            wait_s=step["wait_s"] if has else None,
            factor=step["factor"] if has else None,
            timeout_s=step["timeout_s"],
            key=step["key"],
            cached=True,  # the store's own cache, by the step's inputs
        )

    return ReadBack({step["name"]: row(step) for step in ast.literal_eval(found)}, {})


READERS: Mapping[str, Callable[[str], ReadBack]] = {
    "airflow": _airflow,
    "azureml": _azureml,
    "kubeflow": _kfp,
    "local": _local,
    "sagemaker": _sagemaker,
    "vertex": _kfp,
}
