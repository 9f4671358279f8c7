"""Where an endpoint in a cluster is, from its Service, Deployments and pods."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.domain.rollout import Endpoint, EndpointState, ServedVariant
from isocenter.domain.run import RunId
from isocenter.servers.kubernetes_manifests import DIGEST_NOTE, GROUP_LABEL, REFERENCE_NOTE
from isocenter.servers.kubernetes_split import shares_of

Object = Mapping[str, Any]
ROLLOUT_NOTE, SUBMISSION_NOTE = "isocenter/rollout", "isocenter/submission"
"""The newest rollout that the endpoint was asked for, and the digest of its request."""
IN_FORCE_NOTE, SERVING_NOTE = "isocenter/in-force", "isocenter/serving"
"""The newest one that was reached, and its Deployments with their pods (JSON)."""
FAILED_NOTE, REASON_NOTE = "isocenter/failed", "isocenter/reason"
"""The newest one that was not, and why."""
BASELINE_NOTE = "isocenter/baseline"
"""What pods had counted when the split began (JSON)."""
_MOST_RESTARTS = 3


@dataclass(frozen=True)
class Found:
    """One endpoint as it was found.

    Args:
        service: its Service.
        deployments: of it.
        pods: of it.
    """

    service: Object
    deployments: Sequence[Object]
    pods: Sequence[Object]

    @property
    def notes(self) -> Mapping[str, str]:
        """The Service's annotations."""
        return self.service["metadata"].get("annotations") or {}

    @property
    def serving(self) -> Mapping[str, int]:
        """Deployments that were in force last, with their pods."""
        found: Mapping[str, int] = json.loads(self.notes.get(SERVING_NOTE, "{}"))
        return found

    def deployment(self, name: str) -> Object | None:
        """The Deployment of that name."""
        return next((each for each in self.deployments if each["metadata"]["name"] == name), None)

    def pods_of(self, deployment: Object) -> list[Object]:
        """Pods that don't leave."""
        key = deployment["metadata"]["labels"][GROUP_LABEL]
        return [
            pod
            for pod in self.pods
            if pod["metadata"]["labels"].get(GROUP_LABEL) == key
            and "deletionTimestamp" not in pod["metadata"]
        ]

    def is_available(self, deployment: Object) -> bool:
        """Whether all of its pods are ready, as the cluster saw it after the last change."""
        status = deployment.get("status") or {}
        seen = status.get("observedGeneration", 0) >= deployment["metadata"].get("generation", 1)
        return bool(seen and status.get("availableReplicas", 0) >= deployment["spec"]["replicas"])

    def has_more(self, deployment: Object) -> bool:
        """Whether more of its pods are there than it asks for."""
        counted = int((deployment.get("status") or {}).get("availableReplicas", 0))
        return max(len(self.pods_of(deployment)), counted) > int(deployment["spec"]["replicas"])

    def problem(self, deployment: Object) -> str:
        """Why its pods won't get ready; empty while they may."""
        reference = deployment["metadata"]["annotations"][REFERENCE_NOTE]
        for condition in (deployment.get("status") or {}).get("conditions") or ():
            late = condition["type"] == "Progressing" and condition["status"] == "False"
            refused = condition["type"] == "ReplicaFailure" and condition["status"] == "True"
            if late or refused:
                return f"{reference} doesn't get ready: {condition.get('message', '')}"
        # Pods that were in force may have been started again many times, over months.
        is_new = deployment["metadata"]["name"] not in self.serving
        for pod in self.pods_of(deployment) if is_new else ():
            for status in pod["status"].get("containerStatuses") or ():
                if status["restartCount"] >= _MOST_RESTARTS and not status["ready"]:
                    said = (status.get("lastState") or {}).get("terminated", {}).get("message", "")
                    return f"{reference} ends as often as it is started. {said.strip()}".strip()
        return ""

    def state(self) -> EndpointState:
        """In our words."""
        rollout = self.notes.get(ROLLOUT_NOTE)
        if self.notes.get(FAILED_NOTE) == rollout:
            return EndpointState.FAILED
        if self.notes.get(IN_FORCE_NOTE) != rollout:
            return EndpointState.UPDATING
        ready = any((each.get("status") or {}).get("availableReplicas") for each in self.deployments)
        return EndpointState.READY if ready else EndpointState.STOPPED


def endpoint_of(found: Found, url: str, state: EndpointState | None = None) -> Endpoint:
    """The endpoint in our words."""
    state = state or found.state()
    reason = found.notes.get(REASON_NOTE, "") if state is EndpointState.FAILED else ""
    if state is EndpointState.STOPPED:
        reason = "None of its pods is ready."
    return Endpoint(
        name=found.service["metadata"]["name"],
        state=state,
        rollout=RunId(found.notes.get(ROLLOUT_NOTE, "")),
        url=url,
        variants=tuple(_served(found)),
        reason=reason,
    )


def _served(found: Found) -> Iterator[ServedVariant]:
    ready = {
        each["metadata"]["name"]: int((each.get("status") or {}).get("availableReplicas", 0))
        for each in found.deployments
    }
    shares = shares_of(ready)
    ordered = sorted(found.deployments, key=lambda each: each["metadata"]["annotations"][REFERENCE_NOTE])
    for each in ordered:
        notes, name = each["metadata"]["annotations"], each["metadata"]["name"]
        word = "ready" if found.is_available(each) else "starting"
        yield ServedVariant(notes[REFERENCE_NOTE], notes[DIGEST_NOTE], shares[name], False, word, ready[name])
