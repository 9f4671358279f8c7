"""How numbers of a card read, in its texts and tables."""

from collections.abc import Iterable

from isocenter.domain.evaluation import Estimate, SliceReport

METRIC_NAMES = {
    "auroc": "AUROC",
    "auprc": "AUPRC",
    "accuracy": "Accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "brier": "Brier score",
    "expected_calibration_error": "Expected calibration error",
}
ATTRIBUTE_NAMES = {"sex": "sex", "age_band": "age", "view": "view", "scanner": "scanner"}
_NOT_STATED = "not stated"


def estimate(value: Estimate | None) -> str:
    """``0.931 (0.902 to 0.957)``; ``not defined`` where there is no value."""
    if value is None or value.value is None:
        return "not defined"
    if value.low is None or value.high is None:
        return f"{value.value:.3f}"
    return f"{value.value:.3f} ({value.low:.3f} to {value.high:.3f})"


def stated(value: str) -> str:
    """An attribute's value, or that the header did not say."""
    return value or _NOT_STATED


def attribute(name: str) -> str:
    """An attribute's name in a sentence."""
    return ATTRIBUTE_NAMES.get(name, name.replace("_", " "))


def slice_line(item: SliceReport) -> str:
    """One slice in a sentence."""
    what = f"{attribute(item.attribute)} {stated(item.value)}"
    if item.too_small:
        return f"{what}: too small to say ({item.patients} patients)"
    return f"{what}: AUROC {estimate(item.metrics.get('auroc'))}, {item.patients} patients"


def listing(items: Iterable[str]) -> str:
    """``a, b, c``, or ``none``."""
    return ", ".join(items) or "none"
