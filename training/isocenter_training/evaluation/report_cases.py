"""The report's cases: pictures, Grad-CAM maps and captions that name nobody."""

import base64
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from isocenter_training.evaluation import wording
from isocenter_training.evaluation.cases import choose_cases
from isocenter_training.evaluation.evaluate import Evaluation
from isocenter_training.evaluation.pictures import overlaid_picture, plain_picture
from isocenter_training.evaluation.trained_bundle import TrainedBundle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isocenter.datasets import Dataset


@dataclass(frozen=True)
class ReportCase:
    """One X-ray: base64 JPEGs and what may be said of it."""

    plain: str
    overlay: str
    score: float
    called: str
    truth: str
    attributes: str
    glows: bool


@dataclass(frozen=True)
class ReportCaseGroup:
    """Cases of one kind."""

    title: str
    cases: tuple[ReportCase, ...]


def build_case_groups(
    evaluation: Evaluation, dataset: "Dataset", bundle: TrainedBundle, count: int
) -> tuple[ReportCaseGroup, ...]:
    """At most ``count`` cases of each kind (:func:`.cases.choose_cases`).

    Raises:
        InputError: the bundle's network can't be loaded or has no feature map for Grad-CAM.
    """
    from isocenter.imaging import to_unit
    from isocenter_training.bundle import load_network
    from isocenter_training.evaluation.gradcam import compute_maps

    sample = evaluation.test.sample(evaluation.report.decision)
    groups = choose_cases(sample, evaluation.report.decision.threshold, count)
    chosen = np.concatenate([group.rows for group in groups])
    images = to_unit(dataset.pixels(bundle.image_size)[evaluation.test.rows[chosen]])
    maps = compute_maps(load_network(bundle.root), images)
    cases = {
        row: _case(evaluation, int(row), sample.scores[row], image, heat)
        for row, image, heat in zip(chosen, images, maps, strict=True)
    }
    return tuple(ReportCaseGroup(group.title, tuple(cases[row] for row in group.rows)) for group in groups)


def _case(
    evaluation: Evaluation,
    row: int,
    score: float,
    image: "NDArray[np.float32]",
    heat: "NDArray[np.float32]",
) -> ReportCase:
    report, test = evaluation.report, evaluation.test
    known = {name: str(values[row]) for name, values in test.attributes.items() if values[row]}
    recorded = [
        wording.attribute_value(name, known[name]) + (" years" if name == "age_band" else "")
        for name in ("sex", "age_band", "view", "scanner")
        if name in known
    ]
    return ReportCase(
        plain=base64.b64encode(plain_picture(image)).decode(),
        overlay=base64.b64encode(overlaid_picture(image, heat)).decode(),
        score=float(score),
        called=report.classes[int(report.decision.is_positive(score))],
        truth=report.classes[int(test.labels[row])],
        attributes=", ".join(recorded) or "nothing recorded",
        glows=bool(heat.max() > 0),
    )
