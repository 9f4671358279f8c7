"""What the machines of one job tell each other is encrypted."""

from collections.abc import Iterator

from isocenter.policy.rule import Flaw, JobRequest, Rule


class TrafficEncrypted(Rule):
    """Only SageMaker is asked by the request.

    Vertex AI's and Azure ML's machines talk inside of their private networks, Kubernetes' through its network
    plug-in, and no field of a job changes that.
    """

    id = "ISO_JOB_009"
    severity = "medium"
    title = "What the machines of one job tell each other is encrypted"
    why = "Gradients and samples of patient data go from machine to machine."
    fix = "Leave EnableInterContainerTrafficEncryption on, as the backend asks for it."
    control = 6
    citations = ("164.312(e)(1)", "164.312(e)(2)(ii)")

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        place = "EnableInterContainerTrafficEncryption"
        groups = job.get("ResourceConfig.InstanceGroups") or ()
        count = (job.get("ResourceConfig.InstanceCount") or 0) + sum(each["InstanceCount"] for each in groups)
        if count > 1 and job.get(place) is not True:
            yield Flaw(place, "is not true, and the job has several machines")


RULE = TrafficEncrypted()
