"""A job says whose it is, of which run and model, and what data it reads."""

from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.policy.pods import pod_templates
from isocenter.policy.rule import Flaw, JobRequest, Rule

_NEEDED = ("isocenter-run", "model", "owner", "data-classification")


class Labels(Rule):
    id = "ISO_JOB_008"
    severity = "medium"
    title = "A job says whose it is, of which run and model, and what data it reads"
    why = "A job without them is in nobody's review, and its cost in nobody's budget."
    fix = "Deploy the target again, so that its descriptor has the labels owner and data-classification."
    control = 15
    citations = ("164.308(a)(8)",)

    def sagemaker(self, job: JobRequest) -> Iterator[Flaw]:
        tags = {tag.get("Key"): tag.get("Value") for tag in job.get("Tags") or ()}
        yield from _lacking("Tags", tags)

    def vertex(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _lacking("customJob.labels", job.get("customJob.labels"))

    def azureml(self, job: JobRequest) -> Iterator[Flaw]:
        yield from _lacking("job.tags", job.get("job.tags"))

    def kubernetes(self, job: JobRequest) -> Iterator[Flaw]:
        objects = [(place, part) for place, part in job.parts if "kind" in part and "metadata" in part]
        for place, part in (*objects, *pod_templates(job)):
            metadata = part.get("metadata") or {}
            yield from _lacking(f"{place}.metadata.labels", metadata.get("labels"))


def _lacking(place: str, labels: Any) -> Iterator[Flaw]:
    found: Mapping[Any, Any] = labels if isinstance(labels, Mapping) else {}
    lacks = [name for name in _NEEDED if not found.get(name)]
    if lacks:
        yield Flaw(place, f"lacks {', '.join(lacks)}")


RULE = Labels()
