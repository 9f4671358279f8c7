"""A job that may be interrupted keeps its checkpoints outside of its machine."""

from collections.abc import Iterator

from isocenter.policy.environments import variables
from isocenter.policy.pods import pods
from isocenter.policy.rule import Flaw, JobRequest, Rule

_CHECKPOINT_VARIABLE = "ISOCENTER_CHECKPOINT_DIR"


class Checkpoints(Rule):
    id = "ISO_JOB_012"
    severity = "medium"
    title = "A job that may be interrupted keeps its checkpoints outside of its machine"
    why = "An interruption would throw the whole training away, and pay for it twice."
    fix = "Leave the place for checkpoints that the backend asks for in the request, or ask without --spot."
    control = 34
    citations = ()

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        place = "CheckpointConfig.S3Uri"
        if job.get("EnableManagedSpotTraining") and not job.get(place):
            yield Flaw(place)

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        place, spec = "customJob.jobSpec.baseOutputDirectory.outputUriPrefix", "customJob.jobSpec.scheduling"
        is_spot = job.get(f"{spec}.strategy") == "SPOT" or job.get(f"{spec}.restartJobOnWorkerRestart")
        if is_spot and not job.get(place):
            yield Flaw(place)

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        """A cluster may be of spot machines, which its name doesn't say: so for each."""
        may_be_spot = job.get("job.compute") or job.get("job.queue_settings.job_tier") == "spot"
        if not may_be_spot:
            return
        if not job.get("job.outputs.checkpoints.path"):
            yield Flaw("job.outputs.checkpoints.path")
        elif job.get("job.outputs.checkpoints.mode") != "rw_mount":
            yield Flaw(
                "job.outputs.checkpoints.mode", "is not rw_mount: they would be written at the end only"
            )

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        """A pod may always be evicted: so for each."""
        kept = [
            place for place, name, value in variables(job) if name == _CHECKPOINT_VARIABLE and "://" in value
        ]
        for place, _ in pods(job):
            if not any(found.startswith(f"{place}.containers.") for found in kept):
                yield Flaw(f"{place}.containers", f"have no {_CHECKPOINT_VARIABLE} with a URI")


RULE = Checkpoints()
