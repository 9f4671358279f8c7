"""The report's figures with the words around them."""

import base64
from dataclasses import dataclass

from isocenter.domain.evaluation import EvaluationReport, MetricName
from isocenter_training.evaluation import figures
from isocenter_training.evaluation.curves import precision_recall_curve, roc_curve
from isocenter_training.evaluation.evaluate import Evaluation


@dataclass(frozen=True)
class ReportFigure:
    """One figure.

    Args:
        title: its name.
        caption: how to read it.
        alternative: what it shows, for who can't see it.
        data: the SVG in base64.
    """

    title: str
    caption: str
    alternative: str
    data: str


def build_figures(evaluation: Evaluation) -> tuple[ReportFigure, ...]:
    """ROC, precision-recall, reliability, score histograms; none where the test images lack a class."""
    if evaluation.report.metrics["auroc"].value is None:
        return ()
    return (_roc(evaluation), _precision_recall(evaluation), _reliability(evaluation), _scores(evaluation))


def _roc(evaluation: Evaluation) -> ReportFigure:
    report = evaluation.report
    curve = roc_curve(evaluation.test.sample(report.decision), evaluation.resamples)
    alarms = report.confusion["fp"] / (report.images - report.positives)
    return _figure(
        "ROC curve",
        "Each point of the line is one possible threshold: how many are found against how many false "
        "alarms. The nearer to the upper left corner, the better.",
        f"ROC curve, area {_value(report, 'auroc')}",
        figures.draw_roc(curve, (alarms, report.confusion["tp"] / report.positives)),
    )


def _precision_recall(evaluation: Evaluation) -> ReportFigure:
    report = evaluation.report
    curve = precision_recall_curve(evaluation.test.sample(report.decision), evaluation.resamples)
    hits, false = report.confusion["tp"], report.confusion["fp"]
    chosen = (hits / report.positives, hits / (hits + false) if hits + false else 1.0)
    return _figure(
        "Precision and recall",
        f"How many of the marked X-rays do have {report.classes[1]}, against how many are found. It depends "
        "on the share of positives in the test set.",
        f"Precision-recall curve, average precision {_value(report, 'auprc')}",
        figures.draw_precision_recall(curve, chosen, report.positives / report.images),
    )


def _reliability(evaluation: Evaluation) -> ReportFigure:
    report = evaluation.report
    return _figure(
        "Reliability",
        "Do scores mean what they say? On the diagonal, of the X-rays scored 0.8, eight in ten have "
        f"{report.classes[1]}. Above it the model is too careful, below it too sure.",
        f"Reliability diagram, calibration error {_value(report, 'expected_calibration_error')}",
        figures.draw_reliability(evaluation.test.sample(report.decision)),
    )


def _scores(evaluation: Evaluation) -> ReportFigure:
    report = evaluation.report
    sample = evaluation.test.sample(report.decision)
    return _figure(
        "Scores by class",
        "The further the two heaps lie apart, the better. What lies on the wrong side of the dashed line, "
        "the threshold, is called wrongly.",
        "Histograms of the scores of both classes",
        figures.draw_score_histograms(sample, report.decision.threshold, report.classes),
    )


def _value(report: EvaluationReport, name: MetricName) -> str:
    return f"{report.metrics[name].value:.3f}"


def _figure(title: str, caption: str, alternative: str, svg: bytes) -> ReportFigure:
    return ReportFigure(title, caption, alternative, base64.b64encode(svg).decode())
