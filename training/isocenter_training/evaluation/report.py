"""The HTML report: one file, no script, nothing loaded from elsewhere."""

import base64
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.domain.dataset import Split
from isocenter.domain.evaluation import EvaluationReport, MetricName, SliceReport, SplitCounts
from isocenter_training.evaluation import figures, wording
from isocenter_training.evaluation.cases import choose_cases
from isocenter_training.evaluation.curves import precision_recall_curve, roc_curve
from isocenter_training.evaluation.evaluate import Evaluation
from isocenter_training.evaluation.parameters import EvaluationParameters
from isocenter_training.evaluation.pictures import overlaid_picture, plain_picture
from isocenter_training.evaluation.trained_bundle import TrainedBundle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from isocenter.datasets import Dataset


@dataclass(frozen=True)
class ReportFigure:
    """One figure: base64 SVG, text for who can't see it, title and how to read it."""

    title: str
    caption: str
    alternative: str
    data: str


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


def render_report(
    evaluation: Evaluation, dataset: "Dataset", bundle: TrainedBundle, parameters: EvaluationParameters
) -> str:
    """The report as HTML; the same inputs give the same text.

    Raises:
        InputError: the network has no feature map for Grad-CAM.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    report = evaluation.report
    return environment.get_template("report.html").render(
        **_numbers(report),
        plan=bundle.plan,
        image_size=bundle.image_size,
        training=_training_counts(dataset),
        figures=_figures(evaluation) if report.metrics["auroc"].value is not None else (),
        groups=_case_groups(evaluation, dataset, bundle, parameters.cases) if parameters.cases else (),
    )


def _numbers(report: EvaluationReport) -> dict[str, Any]:
    def is_below(part: SliceReport, name: MetricName) -> bool:
        high, overall = part.metrics[name].high, report.metrics[name].value
        if high is None or overall is None or name == "expected_calibration_error":
            return False
        return high < overall

    return {
        "report": report,
        "negative": report.classes[0],
        "positive": report.classes[1],
        "headlines": wording.headlines(report),
        "predictive_values": wording.predictive_values(report),
        "own_prevalence": round(report.positives / report.images, 3),
        "names": wording.NAMES,
        "meanings": wording.MEANINGS,
        "number": wording.number,
        "interval": wording.interval,
        "attribute_names": wording.ATTRIBUTE_NAMES,
        "attribute_value": wording.attribute_value,
        "slices": [(key, list(part)) for key, part in groupby(report.slices, lambda each: each.attribute)],
        "too_small_slices": sum(part.too_small for part in report.slices),
        "is_below": is_below,
    }


def _training_counts(dataset: "Dataset") -> SplitCounts:
    rows = dataset.rows(Split.TRAIN)
    return SplitCounts(
        images=len(rows),
        patients=len(np.unique(np.asarray(dataset.column("patient_key"))[rows])),
        positives=int(np.asarray(dataset.column("label"))[rows].sum()),
    )


def _figures(evaluation: Evaluation) -> tuple[ReportFigure, ...]:
    report = evaluation.report
    sample = evaluation.test.sample(report.decision)
    hits, false = report.confusion["tp"], report.confusion["fp"]
    recall, alarms = hits / report.positives, false / (report.images - report.positives)
    precision = hits / (hits + false) if hits + false else 1.0
    positive = report.classes[1]
    return (
        _figure(
            "ROC curve",
            "Each point of the line is one possible threshold: how many are found against how many false "
            "alarms. The nearer to the upper left corner, the better.",
            f"ROC curve, area {report.metrics['auroc'].value:.3f}",
            figures.draw_roc(roc_curve(sample, evaluation.resamples), (alarms, recall)),
        ),
        _figure(
            "Precision and recall",
            f"How many of the marked X-rays do have {positive}, against how many are found. It depends on "
            "the share of positives in the test set.",
            f"Precision-recall curve, average precision {report.metrics['auprc'].value:.3f}",
            figures.draw_precision_recall(
                precision_recall_curve(sample, evaluation.resamples),
                (recall, precision),
                report.positives / report.images,
            ),
        ),
        _figure(
            "Reliability",
            "Do scores mean what they say? On the diagonal, of the X-rays scored 0.8, eight in ten have "
            f"{positive}. Above it the model is too careful, below it too sure.",
            f"Reliability diagram, error {report.metrics['expected_calibration_error'].value:.3f}",
            figures.draw_reliability(sample),
        ),
        _figure(
            "Scores by class",
            "The further the two heaps lie apart, the better. What lies on the wrong side of the dashed "
            "line, the threshold, is called wrongly.",
            "Histograms of the scores of both classes",
            figures.draw_score_histograms(sample, report.decision.threshold, report.classes),
        ),
    )


def _figure(title: str, caption: str, alternative: str, svg: bytes) -> ReportFigure:
    return ReportFigure(title, caption, alternative, base64.b64encode(svg).decode())


def _case_groups(
    evaluation: Evaluation, dataset: "Dataset", bundle: TrainedBundle, count: int
) -> tuple[ReportCaseGroup, ...]:
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
