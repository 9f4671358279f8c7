"""A job acts as the deployment's identity for training, and as nobody else."""

import re
from collections.abc import Iterator
from typing import Any

from isocenter.policy.pods import pods
from isocenter.policy.rule import Flaw, JobRequest, Rule

# Identities that a cloud makes by itself, with rights far beyond one job's.
_DEFAULT = re.compile(
    r"AmazonSageMaker-ExecutionRole|-compute@developer\.gserviceaccount\.com|@appspot\.gserviceaccount\.com|^default$"
)
_IN_CLUSTER = "system:serviceaccount:"


class ServiceIdentity(Rule):
    id = "ISO_JOB_006"
    severity = "high"
    title = "A job acts as the deployment's identity for training, and as nobody else"
    why = (
        "Under a shared identity a job may read what it doesn't need, and the log doesn't say which one did."
    )
    fix = "Deploy the target again, so that its descriptor names identities.training."
    control = 21
    citations = ("164.308(a)(4)(ii)(B)", "164.312(a)(2)(i)")

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "RoleArn", job.get("RoleArn"), _known(job))

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        place = "customJob.jobSpec.serviceAccount"
        yield from _judge(job, place, job.get(place), _known(job))

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        if job.get("job.identity.type") != "managed":
            yield Flaw("job.identity.type", "is not managed: the job would act as the person who sends it")
            return
        place = "job.identity.client_id"
        yield from _judge(job, place, job.get(place), _known(job))

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        for place, pod in pods(job):
            account = pod.get("serviceAccountName")
            yield from _judge(job, f"{place}.serviceAccountName", account, _account(job))


def _known(job: JobRequest) -> str:
    return job.target.identities.get("training", "") if job.target else ""


def _account(job: JobRequest) -> str:
    """The service account's name, where the descriptor says it; on a cloud's cluster it says a role."""
    told = str(job.target.settings.get("service_account", "")) if job.target else ""
    known = _known(job)
    return told or (known.rpartition(":")[2] if known.startswith(_IN_CLUSTER) else "")


def _judge(job: JobRequest, place: str, asked: Any, known: str) -> Iterator[Flaw]:
    if not asked:
        yield Flaw(place)
    elif _DEFAULT.search(str(asked)):
        yield Flaw(place, "is a default identity")
    elif job.target and known and asked != known:
        yield Flaw(place, f"is not the identity for training of {job.target.name}")


RULE = ServiceIdentity()
