"""A job runs in the deployment's private network."""

from collections.abc import Iterator

from isocenter.policy.rule import Flaw, JobRequest, Rule

_VERTEX = "customJob.jobSpec"


class PrivateNetwork(Rule):
    id = "ISO_JOB_003"
    severity = "high"
    title = "A job runs in the deployment's private network"
    why = "Outside of it nothing says where patient data may go, and nothing records where they went."
    fix = "Deploy the target again, so that its descriptor names its network."
    control = 16
    citations = ("164.312(e)(1)",)

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        for field, known in (("Subnets", "subnets"), ("SecurityGroupIds", "security_groups")):
            place = f"VpcConfig.{field}"
            asked = job.get(place)
            if not asked:
                yield Flaw(place)
            elif job.target and not set(asked) <= set(getattr(job.target.network, known)):
                yield Flaw(place, f"names others than those of {job.target.name}")

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        attachment = job.get(f"{_VERTEX}.pscInterfaceConfig.networkAttachment")
        peered = job.get(f"{_VERTEX}.network")
        if not attachment and not peered:
            yield Flaw(f"{_VERTEX}.network", "and pscInterfaceConfig are missing")
        elif job.target:
            known = job.target.settings
            if attachment and attachment != known.get("network_attachment"):
                place = f"{_VERTEX}.pscInterfaceConfig.networkAttachment"
                yield Flaw(place, f"is not the one of {job.target.name}")
            if peered and peered != known.get("peered_network"):
                yield Flaw(f"{_VERTEX}.network", f"is not the one of {job.target.name}")

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        place = "workspace.must_have.public_network_access"
        if job.get(place) != "Disabled":
            yield Flaw(place, "is not Disabled")

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        for place, part in job.parts:
            if part.get("kind") == "Service":
                spec = part.get("spec") or {}
                if spec.get("type", "ClusterIP") != "ClusterIP" or spec.get("externalIPs"):
                    yield Flaw(f"{place}.spec", "is reached from outside of the cluster")
            if "hostPort" in part:
                yield Flaw(f"{place}.hostPort", "opens a port of the node")


RULE = PrivateNetwork()
