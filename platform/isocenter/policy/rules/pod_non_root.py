"""A pod's programs don't run as root."""

from collections.abc import Iterator

from isocenter.policy.pods import containers, pods
from isocenter.policy.rule import Flaw, JobRequest, Rule, look


class PodNonRoot(Rule):
    id = "ISO_JOB_015"
    severity = "high"
    title = "A pod's programs don't run as root"
    why = "Whoever breaks out of a container as root is root on the node."
    fix = "Leave runAsNonRoot true and runAsUser other than 0 (settings.run_as_user in the descriptor)."
    control = 29
    citations = ("164.312(a)(1)",)

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        parts = [(place, pod, True) for place, pod in pods(job)]
        parts += [(place, container, False) for place, container in containers(job)]
        for place, part, is_pod in parts:
            where = f"{place}.securityContext"
            # A container that says nothing has what its pod says.
            if look(part, "securityContext.runAsNonRoot") is not True and (
                is_pod or look(part, "securityContext.runAsNonRoot") is not None
            ):
                yield Flaw(f"{where}.runAsNonRoot", "is not true")
            if look(part, "securityContext.runAsUser") == 0:
                yield Flaw(f"{where}.runAsUser", "is 0, which is root")


RULE = PodNonRoot()
