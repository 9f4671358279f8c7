"""A TrainingRequest as JSON, and back: what a compiled pipeline and a submitted one are run from later."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from isocenter.domain.compute_words import LONGEST_RUNTIME_S, SHORTEST_RUNTIME_S
from isocenter.domain.field_faults import field_faults
from isocenter.domain.training_job import Compute
from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError
from isocenter.pipelines.acceptance import Acceptance
from isocenter.pipelines.training_request import TrainingRequest


# Built when the first document is read: whoever only writes one needs neither.
class _Compute(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    gpu: str | None = None
    gpu_count: int = 0
    nodes: int = 1
    spot: bool = False
    max_runtime_s: int | None = Field(default=None, ge=SHORTEST_RUNTIME_S, le=LONGEST_RUNTIME_S)


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    source: Path
    labels: Path | None
    classes: tuple[str, str]
    name: str
    plan: TrainingPlan
    acceptance: Acceptance
    card: dict[str, Any] = {}
    threshold_rule: str
    threads: int | None = None
    processes: int | None = None
    compute: _Compute = _Compute()
    image: str | None = None
    fingerprint: str | None = None


def as_document(request: TrainingRequest) -> dict[str, Any]:
    """``request`` as a JSON object; paths are made absolute."""
    compute = request.compute
    return {
        "source": str(request.source.absolute()),
        "labels": None if request.labels is None else str(request.labels.absolute()),
        "classes": list(request.classes),
        "name": request.name,
        "plan": request.plan_json,
        "acceptance": request.acceptance.model_dump(mode="json"),
        "card": dict(request.card),
        "threshold_rule": request.threshold_rule,
        "threads": request.threads,
        "processes": request.processes,
        "compute": {
            "gpu": compute.gpu,
            "gpu_count": compute.gpu_count,
            "nodes": compute.nodes,
            "spot": compute.spot,
            "max_runtime_s": compute.max_runtime_s,
        },
        "image": request.image,
    }


def as_record(request: TrainingRequest, fingerprint: str) -> dict[str, Any]:
    """``request`` as the store may keep it: folders can be named after patients, so a fingerprint stands for
    the source.

    Args:
        request: what was asked.
        fingerprint: :func:`~isocenter.pipelines.training_request.source_identity` of it.
    """
    return {**as_document(request), "source": "", "labels": None, "fingerprint": fingerprint}


def read_document(document: Mapping[str, Any]) -> TrainingRequest:
    """The request that :func:`as_document` made ``document`` of.

    Raises:
        InputError: a field is missing, unknown or wrong.
    """
    try:
        found = _Document.model_validate(dict(document))
    except ValidationError as error:
        raise InputError(f"The pipeline's request is wrong: {field_faults(error, _Document)}.") from error
    return TrainingRequest(
        source=found.source,
        labels=found.labels,
        classes=found.classes,
        name=found.name,
        plan=found.plan,
        acceptance=found.acceptance,
        card=found.card,
        threshold_rule=found.threshold_rule,
        threads=found.threads,
        processes=found.processes,
        compute=Compute(**found.compute.model_dump()),
        image=found.image,
        fingerprint=found.fingerprint,
    )
