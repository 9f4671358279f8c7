"""A job's image is named by its digest."""

import re
from collections.abc import Iterator
from typing import Any

from isocenter.policy.pods import containers
from isocenter.policy.rule import Flaw, JobRequest, Rule

_BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


class ImageByDigest(Rule):
    id = "ISO_JOB_001"
    severity = "high"
    title = "A job's image is named by its digest"
    why = "A tag can be moved to an image that nobody looked at."
    fix = "Name it REF@sha256:..., by --image or settings.images.training; `make image PUSH=...` prints it."
    control = 27
    citations = ("164.312(c)(2)",)

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "AlgorithmSpecification.TrainingImage")

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        place = "customJob.jobSpec.workerPoolSpecs"
        for number, pool in enumerate(job.get(place) or [{}]):
            image = (pool.get("containerSpec") or {}).get("imageUri")
            yield from _named(f"{place}.{number}.containerSpec.imageUri", image)

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _judge(job, "job.environment.image")

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        """Also what stands beside the pods: a TrainJob's ``trainer.image`` takes the place of theirs."""
        there = dict(containers(job))
        there |= {place: part for place, part in job.parts if "image" in part}
        for place, part in there.items():
            yield from _named(f"{place}.image", part.get("image"))


def _judge(job: JobRequest, place: str) -> Iterator[Flaw]:
    yield from _named(place, job.get(place))


def _named(place: str, image: Any) -> Iterator[Flaw]:
    if not image:
        yield Flaw(place)
    elif not _BY_DIGEST.fullmatch(str(image)):
        yield Flaw(place, "names an image by something else than its digest")


RULE = ImageByDigest()
