"""A pod gets no token of its service account."""

from collections.abc import Iterator

from isocenter.policy.pods import pods
from isocenter.policy.rule import Flaw, JobRequest, Rule


class PodToken(Rule):
    id = "ISO_JOB_018"
    severity = "medium"
    title = "A pod gets no token of its service account"
    why = "Training never asks Kubernetes anything; the token would only be a key for whoever breaks in."
    fix = "Leave automountServiceAccountToken false."
    control = 21
    citations = ("164.308(a)(4)(ii)(B)", "164.312(a)(2)(i)")

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        for place, pod in pods(job):
            if pod.get("automountServiceAccountToken") is not False:
                yield Flaw(f"{place}.automountServiceAccountToken", "is not false")


RULE = PodToken()
