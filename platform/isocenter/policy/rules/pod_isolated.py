"""A pod shares nothing with its node."""

from collections.abc import Iterator

from isocenter.policy.pods import containers, pods
from isocenter.policy.rule import Flaw, JobRequest, Rule, look


class PodIsolated(Rule):
    id = "ISO_JOB_014"
    severity = "high"
    title = "A pod shares nothing with its node"
    why = "A pod with the host's network, processes, files or rights owns the node and all pods on it."
    fix = "Leave host*, privileged and capabilities.add out, escalation false and capabilities.drop ALL."
    control = 29
    citations = ("164.312(a)(1)",)

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        for place, pod in pods(job):
            for field in ("hostNetwork", "hostPID", "hostIPC"):
                if pod.get(field):
                    yield Flaw(f"{place}.{field}", "is on")
            for number, volume in enumerate(pod.get("volumes") or ()):
                if "hostPath" in volume:
                    yield Flaw(f"{place}.volumes.{number}.hostPath", "is a path of the node")
        for place, container in containers(job):
            security, where = container.get("securityContext") or {}, f"{place}.securityContext"
            if security.get("privileged"):
                yield Flaw(f"{where}.privileged", "is on")
            if security.get("allowPrivilegeEscalation") is not False:
                yield Flaw(f"{where}.allowPrivilegeEscalation", "is not false")
            if "ALL" not in (look(security, "capabilities.drop") or ()):
                yield Flaw(f"{where}.capabilities.drop", "is not ALL")
            if security.get("procMount", "Default") != "Default":
                yield Flaw(f"{where}.procMount", "shows what the runtime hides")
            if look(security, "capabilities.add"):
                yield Flaw(f"{where}.capabilities.add", "is not empty")


RULE = PodIsolated()
