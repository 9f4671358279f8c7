"""A job's program reaches nothing that wasn't allowed."""

from collections.abc import Iterator

from isocenter.policy.rule import Flaw, JobRequest, Rule


class EgressClosed(Rule):
    """Vertex AI and Kubernetes have no such field: there the network's own rules and policies close it."""

    id = "ISO_JOB_004"
    severity = "high"
    title = "A job's program reaches nothing that wasn't allowed"
    why = "A dependency of the training code that was tampered with would send the images away."
    fix = "Leave the isolation in that the backend asks for; a target without a network is deployed again."
    control = 20
    citations = ("164.312(e)(1)",)

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        if job.get("EnableNetworkIsolation") is not True:
            yield Flaw("EnableNetworkIsolation", "is not true")

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        place = "workspace.must_have.managed_network"
        if job.get(place) != "AllowOnlyApprovedOutbound":
            yield Flaw(place, "is not AllowOnlyApprovedOutbound")


RULE = EgressClosed()
