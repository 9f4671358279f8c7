"""A job's volumes and outputs are encrypted under the deployment's own key."""

import re
from collections.abc import Iterator

from isocenter.clouds.offer import cloud_offer
from isocenter.policy.rule import Flaw, JobRequest, Rule

# AWS' own keys, which nobody but AWS can close.
_OF_THE_CLOUD = re.compile(r"(^|/)alias/aws/|:alias/aws/")


class CustomerKey(Rule):
    """Kubernetes is asked by no request: there it is the storage class and the object store that encrypt."""

    id = "ISO_JOB_002"
    severity = "high"
    title = "A job's volumes and outputs are encrypted under the deployment's own key"
    why = "What a job writes must be unreadable without a key that the hospital can close."
    fix = "Deploy the target again, so that its descriptor names keys.data."
    control = 1
    citations = ("164.312(a)(2)(iv)",)

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "OutputDataConfig.KmsKeyId")
        if not _have_disks_of_their_own(job):
            yield from _judge(job, "ResourceConfig.VolumeKmsKeyId")

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "customJob.encryptionSpec.kmsKeyName")

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "workspace.must_have.customer_managed_key")


def _judge(job: JobRequest, place: str) -> Iterator[Flaw]:
    key = job.get(place)
    if not key:
        yield Flaw(place)
    elif _OF_THE_CLOUD.search(str(key)):
        yield Flaw(place, "is the cloud's own key")
    elif job.target is not None and not _same(str(key), job.target.keys.get("data", "")):
        yield Flaw(place, f"is not the key of {job.target.name}")


def _same(asked: str, known: str) -> bool:
    """A key vault's key is the same one in each version, which stands last in its id."""
    return asked == known or (known.startswith(f"{asked}/") and known.startswith("https://"))


def _have_disks_of_their_own(job: JobRequest) -> bool:
    """Whether the machines' disks are their own: SageMaker then takes no key, the hardware has one.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ResourceConfig.html
    """
    groups = job.get("ResourceConfig.InstanceGroups") or ()
    types = [each.get("InstanceType") for each in groups] or [job.get("ResourceConfig.InstanceType")]
    machines = [cloud_offer("aws").named(str(each)) for each in types]
    return all(machine is not None and machine.local_storage for machine in machines)


RULE = CustomerKey()
