"""A container has limits of processor and memory."""

from collections.abc import Iterator

from isocenter.policy.pods import containers
from isocenter.policy.rule import Flaw, JobRequest, Rule, look


class PodLimits(Rule):
    id = "ISO_JOB_017"
    severity = "medium"
    title = "A container has limits of processor and memory"
    why = "Without them one job starves the pods beside it, those that answer the clinic too."
    fix = "Set settings.resources and settings.resources_per_gpu of the descriptor, each with cpu and memory."
    control = 29
    citations = ("164.312(a)(1)",)

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        for place, container in containers(job):
            limits = look(container, "resources.limits") or {}
            for name in ("cpu", "memory"):
                if not limits.get(name):
                    yield Flaw(f"{place}.resources.limits.{name}")


RULE = PodLimits()
