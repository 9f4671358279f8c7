"""A job has an end: a maximum run time, of a week at most."""

import re
from collections.abc import Iterator
from typing import Any

from isocenter.domain.compute_words import LONGEST_RUNTIME_S
from isocenter.policy.pods import pod_owners, pods
from isocenter.policy.rule import Flaw, JobRequest, Rule

# SageMaker's quota is five days unless it is raised.
MOST_S = LONGEST_RUNTIME_S


class TimeLimit(Rule):
    id = "ISO_JOB_007"
    severity = "medium"
    title = "A job has a maximum run time, of a week at most"
    why = "A job that hangs is paid for, and holds patient data open, until somebody notices."
    fix = "Give --max-runtime, for example 6h; a week is the most."
    control = 34
    citations = ()

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "StoppingCondition.MaxRuntimeInSeconds")

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "customJob.jobSpec.scheduling.timeout")

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "job.limits.timeout")

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        owners = pod_owners(job)
        for place, owner in owners:
            yield from _bounded(f"{place}.activeDeadlineSeconds", owner.get("activeDeadlineSeconds"))
        if len(owners) < len(pods(job)):
            yield Flaw("", "a pod belongs to no Job that could end it")


def _judge(job: JobRequest, place: str) -> Iterator[Flaw]:
    yield from _bounded(place, job.get(place))


def _bounded(place: str, value: Any) -> Iterator[Flaw]:
    if value is None:
        yield Flaw(place)
        return
    match = re.fullmatch(r"(\d+)(\.\d+)?s?", str(value))
    if match is None or not 0 < int(match[1]) <= MOST_S:
        yield Flaw(place, f"is {value!r}, not 1 to {MOST_S} seconds")


RULE = TimeLimit()
