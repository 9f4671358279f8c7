"""A pod may make only the system calls of the runtime's profile."""

from collections.abc import Iterator

from isocenter.policy.pods import containers, pods
from isocenter.policy.rule import Flaw, JobRequest, Rule, look

_ALLOWED = ("RuntimeDefault", "Localhost")


class PodSeccomp(Rule):
    id = "ISO_JOB_016"
    severity = "medium"
    title = "A pod may make only the system calls of the runtime's profile"
    why = "Most ways out of a container begin with a system call that training never makes."
    fix = "Leave seccompProfile.type RuntimeDefault."
    control = 29
    citations = ("164.312(a)(1)",)

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        for place, pod in pods(job):
            if look(pod, "securityContext.seccompProfile.type") not in _ALLOWED:
                yield Flaw(
                    f"{place}.securityContext.seccompProfile", "is neither RuntimeDefault nor Localhost"
                )
        for place, container in containers(job):
            if look(container, "securityContext.seccompProfile.type") not in (None, *_ALLOWED):
                yield Flaw(
                    f"{place}.securityContext.seccompProfile", "is neither RuntimeDefault nor Localhost"
                )


RULE = PodSeccomp()
