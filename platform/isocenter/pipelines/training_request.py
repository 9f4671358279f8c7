"""What a user asks of the training pipeline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.domain.training_job import Compute
from isocenter.domain.training_plan import TrainingPlan
from isocenter.home import Home
from isocenter.pipelines.acceptance import Acceptance


@dataclass(frozen=True)
class TrainingRequest:
    """Everything that decides what the pipeline makes.

    Args:
        source: folder of DICOM files, or a DICOMDIR.
        labels: table of labels; None: the folders are named after the classes.
        classes: names of the classes, the negative one first.
        name: the model's name in the registry.
        plan: what to train, and how.
        acceptance: what it must reach.
        card: the model card's fields that only a person can fill.
        threshold_rule: how the decision threshold is chosen on validation images.
        threads: CPU threads of training and evaluation; None for all. Part of what makes results
            reproducible to the byte.
        processes: processes that read files at ingest; None for one a core.
        compute: machines for the jobs; the default is CPUs.
        image: training image by digest; None for the target's own (on this machine: this environment).
        fingerprint: of source and labels (:func:`isocenter.datasets.source_fingerprint`) where a record names
            the request without saying where they lie; None: they are looked at.
    """

    source: Path
    labels: Path | None
    classes: tuple[str, str]
    name: str
    plan: TrainingPlan
    acceptance: Acceptance
    card: Mapping[str, Any] = field(default_factory=dict)
    threshold_rule: str = "youden"
    threads: int | None = None
    processes: int | None = None
    compute: Compute = field(default_factory=Compute)
    image: str | None = None
    fingerprint: str | None = None

    @property
    def plan_json(self) -> dict[str, Any]:
        """The whole plan as JSON."""
        return self.plan.model_dump(mode="json")

    @property
    def evaluation_parameters(self) -> dict[str, Any]:
        """Parameters of the evaluate job."""
        return {"seed": self.plan.seed, "threshold_rule": self.threshold_rule, "threads": self.threads}


def source_identity(request: TrainingRequest, home: Home) -> str:
    """Fingerprint of the files and labels that ``request`` starts from; no image is opened.

    Raises:
        InputError: there is nothing at the source, or the labels can't be read.
    """
    from isocenter.datasets import source_fingerprint

    if request.fingerprint is not None:
        return request.fingerprint
    size = request.plan.image_size
    return source_fingerprint(home, request.source, request.labels, request.classes, size)
