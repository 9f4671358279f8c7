"""Nobody can open a shell in a running job."""

from collections.abc import Iterator

from isocenter.policy.pods import containers
from isocenter.policy.rule import Flaw, JobRequest, Rule


class NoShell(Rule):
    id = "ISO_JOB_005"
    severity = "high"
    title = "Nobody can open a shell in a running job"
    why = "From a shell all images are read under the job's identity, and no audit trail says by whom."
    fix = "Leave remote debugging, web access, services, stdin and tty out of the request."
    control = 29
    citations = ("164.312(a)(1)",)

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        place = "RemoteDebugConfig.EnableRemoteDebug"
        if job.get(place):
            yield Flaw(place, "is on")

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        for field in ("enableWebAccess", "enableDashboardAccess"):
            place = f"customJob.jobSpec.{field}"
            if job.get(place):
                yield Flaw(place, "is on")

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        if job.get("job.services"):
            yield Flaw("job.services", "opens a way into the container")

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        for place, container in containers(job):
            for field in ("stdin", "tty"):
                if container.get(field):
                    yield Flaw(f"{place}.{field}", "is on")


RULE = NoShell()
