"""How far a job is, read from its objects. Pure.

https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/job-v1/#JobStatus
https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from isocenter.backends.job_log import reason_in
from isocenter.backends.kubernetes_pod import CONTAINER, INDEX_ANNOTATION
from isocenter.domain.run import JobState, JobStatus

Object = Mapping[str, Any]
CANCELLED_ANNOTATION = "isocenter/cancelled"
# Why a pod that should be there is refused for good; a full quota, in contrast, empties.
_REFUSED = re.compile(r"violates PodSecurity|ValidatingAdmissionPolicy|denied the request")
_KILLED = 128 + 9


def condition(thing: Object, kind: str) -> Object | None:
    """The condition of that type, if it is true."""
    for found in thing.get("status", {}).get("conditions") or ():
        if found["type"] == kind and found["status"] == "True":
            true: Object = found
            return true
    return None


def pod_index(pod: Object) -> int:
    """Which of the job's pods it is; 0 speaks for all."""
    return int(pod["metadata"].get("annotations", {}).get(INDEX_ANNOTATION, 0))


def container_state(pod: Object) -> Mapping[str, Any]:
    """State of the pod's container: ``waiting``, ``running`` or ``terminated`` with what is known of it."""
    statuses = pod.get("status", {}).get("containerStatuses") or ()
    found = next((status for status in statuses if status["name"] == CONTAINER), {})
    state: Mapping[str, Any] = found.get("state", {})
    return state


def has_started(pod: Object) -> bool:
    """Whether its container has a log."""
    return bool(container_state(pod).keys() & {"running", "terminated"})


def settled(owner: Object, job: Object | None) -> JobStatus | None:
    """The status that the job's own object tells; None where its pods must be asked.

    Args:
        owner: the Job or TrainJob that was submitted.
        job: the Job that makes the pods: the same, or the TrainJob's; None if it isn't there (yet).
    """
    if any(condition(thing, "Complete") for thing in (owner, job or {})):
        return JobStatus(JobState.SUCCEEDED, exit_code=0)
    if failed := condition(job or {}, "Failed"):
        if failed.get("reason") == "DeadlineExceeded":
            return JobStatus(JobState.FAILED, reason="Stopped at its time limit.")
        return None
    failed = condition(owner, "Failed")
    if failed and job is None:
        return JobStatus(JobState.FAILED, reason=failed.get("message") or failed.get("reason"))
    return None


def observed(
    owner: Object, job: Object | None, pods: Sequence[Object], events: Sequence[Object]
) -> JobStatus:
    """The status that pods and events tell, where :func:`settled` doesn't.

    Args:
        owner, job: as there.
        pods: of the job.
        events: about the job, of pods that could not be made.
    """
    if any(condition(thing, "Failed") for thing in (owner, job or {})):
        return _failure(job or owner, pods)
    if CANCELLED_ANNOTATION in owner["metadata"].get("annotations", {}):
        going = any(pod.get("status", {}).get("phase") in ("Pending", "Running") for pod in pods)
        ended = JobStatus(JobState.CANCELLED, reason="Stopped on request.")
        return JobStatus(JobState.RUNNING) if going else ended
    if any(has_started(pod) for pod in pods):
        return JobStatus(JobState.RUNNING)
    refused = [event["message"] for event in events if _REFUSED.search(event.get("message", ""))]
    if refused and not pods:
        return JobStatus(JobState.FAILED, reason=f"The cluster refuses the job's pod: {refused[-1]}")
    return JobStatus(JobState.PENDING, reason=_waits_for(pods, events))


def _failure(job: Object, pods: Sequence[Object]) -> JobStatus:
    """By the pod that failed first: the others lost their companion."""
    failed = [pod for pod in pods if pod.get("status", {}).get("phase") == "Failed"]
    if not failed:
        said = condition(job, "Failed") or {}
        return JobStatus(JobState.FAILED, reason=said.get("message") or "The job left no pod that says why.")
    first = min(failed, key=lambda pod: container_state(pod).get("terminated", {}).get("finishedAt") or "~")
    ended: Mapping[str, Any] = container_state(first).get("terminated", {})
    code = ended.get("exitCode")
    return JobStatus(JobState.FAILED, exit_code=code, reason=_reason(first, ended, code))


def _reason(pod: Object, ended: Mapping[str, Any], code: int | None) -> str:
    said = reason_in(ended.get("message", ""))
    status = pod["status"]
    if ended.get("reason") == "OOMKilled":
        return "The job ran out of its memory." + _last_words(said)
    if status.get("reason"):  # e.g. Evicted, with the node's words
        return f"{status['reason']}: {status.get('message', '')}".rstrip(": ") + _last_words(said)
    if code == _KILLED:
        return "The job was killed by signal 9." + _last_words(said)
    return said or f"The job ended with exit code {code} and said nothing."


def _last_words(said: str) -> str:
    return f" Its last words: {said}" if said else ""


def _waits_for(pods: Sequence[Object], events: Sequence[Object]) -> str | None:
    """What the cluster says a job waits for, e.g. a node with a free GPU."""
    for pod in pods:
        waiting = container_state(pod).get("waiting", {})
        if waiting.get("message"):
            return f"{waiting['reason']}: {waiting['message']}"
        for found in pod.get("status", {}).get("conditions") or ():
            if found["type"] == "PodScheduled" and found["status"] == "False" and found.get("message"):
                return f"{found.get('reason', 'Unschedulable')}: {found['message']}"
    return events[-1].get("message") if events and not pods else None
