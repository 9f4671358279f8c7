"""The Job controller: pods for every index, and the conditions in which a Job ends.

https://kubernetes.io/docs/concepts/workloads/controllers/job/
"""

import secrets
import string
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from isocenter.emulators.kubernetes.objects import Objects, now
from isocenter.emulators.kubernetes.pods import ENDED, Kubelet, has_condition

Object = dict[str, Any]
INDEX = "batch.kubernetes.io/job-completion-index"
JOB_NAME = "batch.kubernetes.io/job-name"
_SUFFIX = string.ascii_lowercase + string.digits


class JobController:
    """Makes and ends the pods of Jobs.

    Args:
        objects: of the cluster.
        kubelet: ends pods.
        admit: says why a pod is not admitted; empty if it is.
    """

    def __init__(self, objects: Objects, kubelet: Kubelet, admit: Callable[[Object], str]) -> None:
        self._objects = objects
        self._kubelet = kubelet
        self._admit = admit

    def reconcile(self) -> None:
        """Take every Job one step on."""
        jobs = self._objects.list("Job")
        uids = {job["metadata"]["uid"] for job in jobs}
        pods: dict[str, list[Object]] = {}
        for pod in self._objects.list("Pod"):
            owner = pod["metadata"]["ownerReferences"][0]
            if owner["kind"] == "Job":
                pods.setdefault(owner["uid"], []).append(pod)
            if owner["kind"] == "Job" and owner["uid"] not in uids:
                self._kubelet.delete(pod)
        for job in jobs:
            self._step(job, pods.get(job["metadata"]["uid"], []))

    def _step(self, job: Object, pods: list[Object]) -> None:
        status = job.setdefault("status", {})
        if has_condition(job, "Complete") or has_condition(job, "Failed"):
            self._expire(job)
            return
        self._suspend_or_resume(job)
        going = [pod for pod in pods if pod["status"]["phase"] not in ENDED]
        failed = [pod for pod in pods if pod["status"]["phase"] == "Failed" and not _is_ignored(pod, job)]
        done = {_index(pod) for pod in pods if pod["status"]["phase"] == "Succeeded"}
        if has_condition(job, "Suspended"):
            self._end_pods(going)
        elif has_condition(job, "FailureTarget") or self._why_failed(job, failed):
            self._fail(job, failed, going)
        elif len(done) == job["spec"].get("completions", 1):
            status["conditions"] += [
                _condition(
                    "SuccessCriteriaMet", "CompletionsReached", "Reached expected number of succeeded pods"
                ),
                _condition("Complete", "CompletionsReached", "Reached expected number of succeeded pods"),
            ]
            status["completionTime"] = now()
        else:
            self._fill(job, {_index(pod) for pod in going} | done)
        _count(status, pods)
        self._objects.update(job)

    def _suspend_or_resume(self, job: Object) -> None:
        status, wanted = job["status"], bool(job["spec"].get("suspend"))
        status.setdefault("conditions", [])
        if wanted and not has_condition(job, "Suspended"):
            others = [found for found in status["conditions"] if found["type"] != "Suspended"]
            status["conditions"] = [*others, _condition("Suspended", "JobSuspended", "Job suspended")]
            status.pop("startTime", None)
        elif not wanted:
            status["conditions"] = [found for found in status["conditions"] if found["type"] != "Suspended"]
            status.setdefault("startTime", now())

    def _why_failed(self, job: Object, failed: list[Object]) -> tuple[str, str] | None:
        limit = job["spec"].get("activeDeadlineSeconds")
        if limit is not None and _age_s(job["status"]["startTime"]) >= limit:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        if len(failed) > job["spec"].get("backoffLimit", 6):
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        return None

    def _fail(self, job: Object, failed: list[Object], going: list[Object]) -> None:
        """First the target, so that no pod is made any more; the end when the last pod has ended."""
        conditions = job["status"]["conditions"]
        if not has_condition(job, "FailureTarget"):
            reason, message = self._why_failed(job, failed) or ("", "")
            conditions.append(_condition("FailureTarget", reason, message))
        self._end_pods(going)
        if not going:
            target = next(found for found in conditions if found["type"] == "FailureTarget")
            conditions.append(_condition("Failed", target["reason"], target["message"]))

    def _end_pods(self, going: list[Object]) -> None:
        for pod in going:
            self._kubelet.delete(pod)

    def _fill(self, job: Object, taken: set[int]) -> None:
        for index in range(job["spec"].get("completions", 1)):
            if index in taken:
                continue
            pod = _new_pod(job, index)
            if why := self._admit(pod):
                self._tell(job, f"Error creating: {why}")
                return
            self._objects.add(pod)

    def _tell(self, job: Object, message: str) -> None:
        """An event, once for each Job and message."""
        metadata = job["metadata"]
        name = f"{metadata['name']}.failed-create"
        known = self._objects.get("Event", metadata["namespace"], name)
        if known is not None:
            if known["message"].partition("is forbidden")[2] == message.partition("is forbidden")[2]:
                return
            self._objects.remove("Event", metadata["namespace"], name)
        involved = {"apiVersion": "batch/v1", "kind": "Job", "namespace": metadata["namespace"]}
        self._objects.add(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": metadata["namespace"]},
                "involvedObject": {**involved, "name": metadata["name"], "uid": metadata["uid"]},
                "type": "Warning",
                "reason": "FailedCreate",
                "message": message,
                "firstTimestamp": now(),
                "lastTimestamp": now(),
                "source": {"component": "job-controller"},
            }
        )

    def _expire(self, job: Object) -> None:
        kept = job["spec"].get("ttlSecondsAfterFinished")
        ended = max(found["lastTransitionTime"] for found in job["status"]["conditions"])
        if kept is not None and _age_s(ended) >= kept:
            metadata = job["metadata"]
            self._objects.remove("Job", metadata["namespace"], metadata["name"])


def _new_pod(job: Object, index: int) -> Object:
    metadata, template = job["metadata"], deepcopy(job["spec"]["template"])
    own = {JOB_NAME: metadata["name"], "job-name": metadata["name"], INDEX: str(index)}
    own["batch.kubernetes.io/controller-uid"] = metadata["uid"]
    labels = {**(template.get("metadata", {}).get("labels") or {}), **own}
    annotations = {**(template.get("metadata", {}).get("annotations") or {}), INDEX: str(index)}
    spec = {**template["spec"], "hostname": f"{metadata['name']}-{index}"}
    for container in spec["containers"]:
        source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX}']"}}
        container["env"] = [
            *(container.get("env") or ()),
            {"name": "JOB_COMPLETION_INDEX", "valueFrom": source},
        ]
    suffix = "".join(secrets.choice(_SUFFIX) for _ in range(5))
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{index}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": spec,
        "status": {"phase": "Pending", "conditions": []},
    }


def _is_ignored(pod: Object, job: Object) -> bool:
    """By a rule of the Job's pod failure policy; other actions than Ignore count the failure."""
    for rule in (job["spec"].get("podFailurePolicy") or {}).get("rules") or ():
        wanted = [found["type"] for found in rule.get("onPodConditions") or ()]
        if any(has_condition(pod, kind) for kind in wanted):
            return bool(rule["action"] == "Ignore")
    return False


def _count(status: Object, pods: list[Object]) -> None:
    leaving = [pod for pod in pods if "deletionTimestamp" in pod["metadata"]]
    active = [pod for pod in pods if pod["status"]["phase"] not in ENDED and pod not in leaving]
    numbers = {
        "active": len(active),
        "ready": sum(has_condition(pod, "Ready") for pod in active),
        "succeeded": sum(pod["status"]["phase"] == "Succeeded" for pod in pods),
        "failed": sum(pod["status"]["phase"] == "Failed" for pod in pods),
        "terminating": sum(pod["status"]["phase"] not in ENDED for pod in leaving),
    }
    for name, number in numbers.items():
        status.pop(name, None)
        if number or name in ("ready", "terminating"):
            status[name] = number
    status["uncountedTerminatedPods"] = {}


def _index(pod: Object) -> int:
    return int(pod["metadata"]["annotations"][INDEX])


def _condition(kind: str, reason: str, message: str) -> Object:
    when = now()
    return {
        "type": kind,
        "status": "True",
        "reason": reason,
        "message": message,
        "lastProbeTime": when,
        "lastTransitionTime": when,
    }


def _age_s(time: str) -> float:
    began = datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return (datetime.now(UTC) - began).total_seconds()
