"""The pods in a request to Kubernetes: in a Job, or in the runtime of a TrainJob, wherever they stand."""

from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.errors import InputError
from isocenter.policy.rule import JobRequest
from isocenter.policy.walk import parts

_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
Part = tuple[str, Mapping[str, Any]]


def pods(job: JobRequest) -> list[Part]:
    """Each pod's specification and its place.

    Raises:
        InputError: there is none, so that nothing could be said of the job.
    """
    found = [part for part in parts(job.request) if isinstance(part[1].get("containers"), list)]
    if not found:
        raise InputError("The request holds no pod: it is none of the backend 'kubernetes'.")
    return found


def containers(job: JobRequest) -> Iterator[Part]:
    """Each container of each pod and its place."""
    for place, pod in pods(job):
        for kind in _CONTAINERS:
            for number, container in enumerate(pod.get(kind) or ()):
                yield f"{place}.{kind}.{number}", container


def pod_templates(job: JobRequest) -> list[Part]:
    """What is around each pod's specification: its metadata."""
    there = {place for place, _ in pods(job)}
    return [(place, part) for place, part in parts(job.request) if f"{place}.spec" in there]


def pod_owners(job: JobRequest) -> list[Part]:
    """The specification of the Job around each pod."""
    there = {place for place, _ in pod_templates(job)}
    return [(place, part) for place, part in parts(job.request) if f"{place}.template" in there]
