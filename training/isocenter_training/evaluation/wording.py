"""Numbers as a reader of the report sees them, and the sentences about them."""

from dataclasses import dataclass

from isocenter.domain.evaluation import Estimate, EvaluationReport, MetricName

NAMES: dict[MetricName, str] = {
    "auroc": "AUROC",
    "auprc": "AUPRC (average precision)",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "brier": "Brier score",
    "expected_calibration_error": "Expected calibration error",
}
MEANINGS: dict[MetricName, str] = {
    "auroc": "1 is perfect, 0.5 is chance",
    "auprc": "1 is perfect, chance is the share of positives",
    "accuracy": "X-rays called rightly; depends on the share of positives",
    "sensitivity": "positive X-rays that are marked",
    "specificity": "negative X-rays that are left unmarked",
    "brier": "mean squared error of the score; 0 is perfect",
    "expected_calibration_error": "mean distance of score and observed share; 0 is perfect",
}
_SHORT: dict[MetricName, str] = {"expected_calibration_error": "Calibration error"}
_PERCENT: frozenset[MetricName] = frozenset({"accuracy", "sensitivity", "specificity"})
ATTRIBUTE_NAMES = {"sex": "Sex", "age_band": "Age, years", "scanner": "Scanner", "view": "View"}
_VALUES = {("sex", "F"): "female", ("sex", "M"): "male", ("sex", "O"): "other"}


@dataclass(frozen=True)
class Headline:
    """One large figure with its interval and what it means."""

    name: str
    value: str
    interval: str
    sentence: str


def number(name: MetricName, value: float | None) -> str:
    """``value`` as a percentage or with three decimals; a dash where it is not defined."""
    if value is None:
        return "–"
    return f"{100 * value:.1f} %" if name in _PERCENT else f"{value:.3f}"


def interval(name: MetricName, estimate: Estimate) -> str:
    """``low to high``; a dash where there is none."""
    if estimate.low is None or estimate.high is None:
        return "–"
    if name in _PERCENT:
        return f"{100 * estimate.low:.1f} to {100 * estimate.high:.1f} %"
    return f"{estimate.low:.3f} to {estimate.high:.3f}"


def short(digest: str) -> str:
    """The first digits of ``sha256:...``: enough to tell models and datasets apart."""
    return digest.removeprefix("sha256:")[:12]


def attribute_value(attribute: str, value: str) -> str:
    """A slice's value in words."""
    return _VALUES.get((attribute, value), value) or "not recorded"


def headlines(report: EvaluationReport) -> list[Headline]:
    """The four figures that a reader should take away."""
    positive, negative = report.classes[1], report.classes[0]
    share = {name: _of_hundred(estimate) for name, estimate in report.metrics.items()}
    sentences: dict[MetricName, str] = {
        "sensitivity": f"Of 100 X-rays labelled {positive}, the model marks {share['sensitivity']}.",
        "specificity": f"Of 100 X-rays labelled {negative}, it leaves {share['specificity']} unmarked.",
        "auroc": f"Given one X-ray of each class, the one labelled {positive} gets the higher score in "
        f"{share['auroc']} of 100 pairs.",
        "expected_calibration_error": f"A score of 0.70 should mean {positive} in 70 of 100 such X-rays. "
        f"On average it is off by {share['expected_calibration_error']} of 100.",
    }
    return [
        Headline(
            _SHORT.get(name, NAMES[name]),
            number(name, report.metrics[name].value),
            interval(name, report.metrics[name]),
            text,
        )
        for name, text in sentences.items()
    ]


def _of_hundred(estimate: Estimate) -> str:
    """``93 (89 to 96)``."""
    if estimate.value is None:
        return "an unknown number"
    value = f"{100 * estimate.value:.0f}"
    if estimate.low is None or estimate.high is None:
        return value
    return f"{value} ({100 * estimate.low:.0f} to {100 * estimate.high:.0f})"


@dataclass(frozen=True)
class PredictiveValue:
    """What a mark is worth where ``prevalence`` of 100 X-rays are positive."""

    prevalence: float
    right_of_marked: float | None
    missed_of_unmarked: float | None


def predictive_values(report: EvaluationReport) -> list[PredictiveValue]:
    """Bayes' rule on sensitivity and specificity for four shares of positives and the test set's own."""
    sensitivity, specificity = (report.metrics[name].value for name in ("sensitivity", "specificity"))
    if sensitivity is None or specificity is None:
        return []
    shares = sorted({0.01, 0.05, 0.2, 0.5, round(report.positives / report.images, 3)})
    rows = []
    for share in shares:
        hits, false = sensitivity * share, (1 - specificity) * (1 - share)
        missed, cleared = (1 - sensitivity) * share, specificity * (1 - share)
        rows.append(
            PredictiveValue(
                share,
                hits / (hits + false) if hits + false > 0 else None,
                missed / (missed + cleared) if missed + cleared > 0 else None,
            )
        )
    return rows
