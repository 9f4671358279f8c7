"""The HTML report: one file, no script, nothing loaded from elsewhere."""

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.domain.dataset import Split
from isocenter.domain.evaluation import EvaluationReport, MetricName, SliceReport, SplitCounts
from isocenter_training.evaluation import wording
from isocenter_training.evaluation.evaluate import Evaluation
from isocenter_training.evaluation.parameters import EvaluationParameters
from isocenter_training.evaluation.report_cases import build_case_groups
from isocenter_training.evaluation.report_figures import build_figures
from isocenter_training.evaluation.trained_bundle import TrainedBundle

if TYPE_CHECKING:
    from isocenter.datasets import Dataset


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
        figures=build_figures(evaluation),
        groups=build_case_groups(evaluation, dataset, bundle, parameters.cases) if parameters.cases else (),
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
        "short": wording.short,
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
