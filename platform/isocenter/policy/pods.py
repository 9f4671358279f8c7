"""The pods in a request to Kubernetes: in a Job, or in the runtime of a TrainJob, wherever they stand."""

from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.errors import InputError
from isocenter.policy.rule import JobRequest

_FORMS = ("with_trainer", "without_trainer")
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")
Part = tuple[str, Mapping[str, Any]]


def pods(job: JobRequest) -> list[Part]:
    """Each pod's specification and its place.

    Raises:
        InputError: a form of the job has none, so that nothing could be said of it.
    """
    found = [(place, part) for place, part in job.parts if part.get("containers")]
    forms = [form for form in _FORMS if form in job.request]
    for form in forms or ["the request"]:
        if not any(place.startswith(f"{form}.") for place, _ in found):
            raise InputError(f"In {form} stands no pod: nothing can be said of such a job on Kubernetes.")
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
    return [(place, part) for place, part in job.parts if f"{place}.spec" in there]


def pod_owners(job: JobRequest) -> list[Part]:
    """The specification of the Job around each pod."""
    there = {place for place, _ in pod_templates(job)}
    return [(place, part) for place, part in job.parts if f"{place}.template" in there]
