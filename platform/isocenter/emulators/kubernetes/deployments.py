"""The Deployment controller, with its ReplicaSets folded in: as many pods as asked for, of one template.

What a new template would do is left out: Isocenter makes another Deployment instead.
https://kubernetes.io/docs/concepts/workloads/controllers/deployment/
"""

import secrets
import string
from collections.abc import Callable
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from isocenter.emulators.kubernetes.objects import Objects, now
from isocenter.emulators.kubernetes.pods import Kubelet, has_condition

Object = dict[str, Any]
_SUFFIX = string.ascii_lowercase + string.digits
_DEADLINE_S = 600


class DeploymentController:
    """Makes and ends the pods of Deployments.

    Args:
        objects: of the cluster.
        kubelet: ends pods.
        admit: says why a pod is not admitted; empty if it is.
    """

    def __init__(self, objects: Objects, kubelet: Kubelet, admit: Callable[[Object], str]) -> None:
        self._objects, self._kubelet, self._admit = objects, kubelet, admit

    def reconcile(self) -> None:
        """Take every Deployment one step on."""
        deployments = self._objects.list("Deployment")
        uids = {each["metadata"]["uid"] for each in deployments}
        pods: dict[str, list[Object]] = {}
        for pod in self._objects.list("Pod"):
            owner = pod["metadata"]["ownerReferences"][0]
            if owner["kind"] != "Deployment":
                continue
            pods.setdefault(owner["uid"], []).append(pod)
            if owner["uid"] not in uids:
                self._kubelet.delete(pod)
        for deployment in deployments:
            self._step(deployment, pods.get(deployment["metadata"]["uid"], []))

    def _step(self, deployment: Object, pods: list[Object]) -> None:
        staying = [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]
        wanted = deployment["spec"].get("replicas", 1)
        refusal = ""
        for _ in range(wanted - len(staying)):
            pod = _new_pod(deployment)
            refusal = self._admit(pod)
            if refusal:
                break
            staying.append(self._objects.add(pod))
        # Those that aren't ready go first.
        staying.sort(key=lambda pod: not has_condition(pod, "Ready"))
        for pod in staying[wanted:]:
            self._kubelet.delete(pod)
        self._tell(deployment, staying[:wanted], refusal)

    def _tell(self, deployment: Object, pods: list[Object], refusal: str) -> None:
        ready = sum(has_condition(pod, "Ready") for pod in pods)
        wanted = deployment["spec"].get("replicas", 1)
        counted = {"replicas": len(pods), "updatedReplicas": len(pods)}
        if ready:
            counted |= {"readyReplicas": ready, "availableReplicas": ready}
        conditions = [_progress(deployment, ready >= wanted)]
        if refusal:
            conditions.append(_condition("ReplicaFailure", "True", "FailedCreate", refusal))
        deployment["status"] = {
            "observedGeneration": deployment["metadata"]["generation"],
            **counted,
            "conditions": _kept(deployment.get("status", {}).get("conditions") or [], conditions),
        }
        self._objects.update(deployment)


def _progress(deployment: Object, is_whole: bool) -> Object:
    if is_whole:
        return _condition("Progressing", "True", "NewReplicaSetAvailable", "")
    known: list[Object] = deployment.get("status", {}).get("conditions") or []
    waiting = [
        each
        for each in known
        if each["type"] == "Progressing"
        and each["reason"] in ("ReplicaSetUpdated", "ProgressDeadlineExceeded")
    ]
    if not waiting:
        return _condition("Progressing", "True", "ReplicaSetUpdated", "")
    limit = deployment["spec"].get("progressDeadlineSeconds", _DEADLINE_S)
    if waiting[0]["status"] == "True" and _age_s(waiting[0]["lastTransitionTime"]) > limit:
        late = f'ReplicaSet "{deployment["metadata"]["name"]}" has timed out progressing.'
        return _condition("Progressing", "False", "ProgressDeadlineExceeded", late)
    return waiting[0]


def _kept(before: list[Object], after: list[Object]) -> list[Object]:
    """Conditions that say the same keep their time."""

    def said(condition: Object) -> tuple[Any, ...]:
        return tuple(condition.get(name) for name in ("type", "status", "reason", "message"))

    known = {said(condition): condition for condition in before}
    return [known.get(said(condition), condition) for condition in after]


def _new_pod(deployment: Object) -> Object:
    metadata, template = deployment["metadata"], deepcopy(deployment["spec"]["template"])
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": metadata["name"], "uid": metadata["uid"]}
    suffix = "".join(secrets.choice(_SUFFIX) for _ in range(5))
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{metadata['name']}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": dict(template["metadata"]["labels"]),
            "annotations": dict(template["metadata"].get("annotations") or {}),
            "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
        },
        "spec": {"restartPolicy": "Always", **template["spec"]},
        "status": {"phase": "Pending", "conditions": []},
    }


def _condition(kind: str, status: str, reason: str, message: str) -> Object:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": now()}


def _age_s(time: str) -> float:
    began = datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return (datetime.now(UTC) - began).total_seconds()
