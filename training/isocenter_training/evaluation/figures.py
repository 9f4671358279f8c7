"""The report's figures as SVG: same numbers, same bytes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter_training.evaluation.curves import GRID, Curve
from isocenter_training.evaluation.metrics import Sample, calibration_bins

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GREY = "#1b1f24", "#5b6570"
POSITIVE, NEGATIVE, BAND = "#b3430b", "#1d5c9e", "#bcd3ea"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "isocenter",
    "svg.fonttype": "path",
    "font.size": 11,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
}


@contextmanager
def _drawing(width: float = 5.2, height: float = 4.4) -> "Iterator[Figure]":
    """A figure under our style alone, whatever the machine's matplotlibrc says."""
    import matplotlib
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield Figure(figsize=(width, height), layout="constrained")


def _svg(figure: "Figure") -> bytes:
    stream = io.BytesIO()
    figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _unit_axes(figure: "Figure", x: str, y: str) -> "Axes":
    axes = figure.add_subplot(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02), xlabel=x, ylabel=y)
    axes.grid(color="#e3e7eb", linewidth=0.8)
    axes.set_axisbelow(True)
    return axes


def _draw_curve(axes: "Axes", curve: Curve, threshold: tuple[float, float]) -> None:
    if len(curve.low):
        axes.fill_between(GRID, curve.low, curve.high, color=BAND, linewidth=0, label="95 % band")
    axes.plot(curve.x, curve.y, color=NEGATIVE, linewidth=1.8, label="test images")
    axes.plot(*threshold, "o", color=POSITIVE, markersize=8, label="chosen threshold")


def draw_roc(curve: Curve, threshold: tuple[float, float]) -> bytes:
    """ROC curve with its band; ``threshold`` is (1 - specificity, sensitivity)."""
    with _drawing() as figure:
        axes = _unit_axes(figure, "1 − specificity (false alarms)", "sensitivity (found)")
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 4)), label="chance")
        _draw_curve(axes, curve, threshold)
        axes.legend(loc="lower right")
        return _svg(figure)


def draw_precision_recall(curve: Curve, threshold: tuple[float, float], prevalence: float) -> bytes:
    """Precision over recall with its band; ``threshold`` is (recall, precision)."""
    with _drawing() as figure:
        axes = _unit_axes(figure, "recall = sensitivity (found)", "precision (marked and right)")
        axes.axhline(prevalence, color=GREY, linewidth=1, linestyle=(0, (4, 4)), label="share of positives")
        _draw_curve(axes, curve, threshold)
        axes.legend(loc="lower left")
        return _svg(figure)


def draw_reliability(sample: Sample) -> bytes:
    """Share of positives over mean score, a point for each calibration bin; below, how many images score so.

    Whiskers are Wilson 95 % intervals of the share (they take images as independent).
    """
    bins = calibration_bins(sample.scores)
    counts = np.bincount(bins)
    scores = np.bincount(bins, weights=sample.scores) / counts
    shares = np.bincount(bins, weights=sample.labels) / counts
    low, high = _wilson(shares, counts)
    each = f"{counts.min()} to {counts.max()}" if counts.min() < counts.max() else str(counts.min())
    with _drawing(height=5.2) as figure:
        axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
        axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle=(0, (4, 4)), label="perfect")
        axes.errorbar(
            scores, shares, [shares - low, high - shares], fmt="o", color=NEGATIVE, capsize=3,
            label=f"{each} images each",
        )  # fmt: skip
        axes.set(ylim=(-0.03, 1.05), ylabel="share of positives")
        axes.grid(color="#e3e7eb", linewidth=0.8)
        axes.legend(loc="upper left")
        below.hist(sample.scores, bins=25, range=(0, 1), color=GREY, edgecolor="white", linewidth=0.6)
        below.set(xlim=(-0.02, 1.02), xlabel="score", ylabel="images")
        return _svg(figure)


def _wilson(share: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson, JASA 1927."""
    z = 1.959964
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    return np.minimum(centre - half, share), np.maximum(centre + half, share)


def draw_score_histograms(sample: Sample, threshold: float, classes: tuple[str, ...]) -> bytes:
    """How the scores of each class are spread, one panel a class, with the threshold."""
    with _drawing() as figure:
        panels = figure.subplots(2, 1, sharex=True)
        for axes, label, colour in zip(panels, (1, 0), (POSITIVE, NEGATIVE), strict=True):
            scores = sample.scores[sample.labels == label]
            axes.hist(scores, bins=25, range=(0, 1), color=colour, edgecolor="white", linewidth=0.6)
            axes.axvline(threshold, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
            title = f"{_shortened(classes[label])} (n = {len(scores)})"
            axes.set_title(title, loc="left", fontsize=11, parse_math=False)
            axes.set_ylabel("images")
        offset, side = (4, "left") if threshold < 0.6 else (-4, "right")
        panels[0].annotate(
            f"threshold {threshold:.3f}", (threshold, 1), (offset, -11), xycoords=("data", "axes fraction"),
            textcoords="offset points", size=9, ha=side,
        )  # fmt: skip
        panels[1].set(xlim=(0, 1), xlabel="score")
        return _svg(figure)


def _shortened(name: str) -> str:
    return name if len(name) <= 32 else name[:31] + "…"
