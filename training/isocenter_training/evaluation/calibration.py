"""Temperature scaling: one number that makes scores mean what they say (Guo et al., ICML 2017)."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: "NDArray[np.float64]", labels: "NDArray[np.int8]") -> float:
    """The temperature that minimises the negative log-likelihood of ``labels``.

    The likelihood is convex in 1/temperature, so the bounded search finds the one minimum. 1.0 (leave the
    scores alone) where there is none between 0.05 and 20: no image or one class only, classes that the
    logits separate perfectly, logits that carry nothing.

    Args:
        logits: [N] of validation images.
        labels: [N], 1 is the positive class.
    """
    from scipy.optimize import minimize_scalar

    if len(np.unique(labels)) < 2:
        return 1.0
    signed = np.where(labels == 1, logits, -logits)
    bounds = (float(np.log(LOWEST)), float(np.log(HIGHEST)))
    found = minimize_scalar(
        lambda log_temperature: np.logaddexp(0, -signed / np.exp(log_temperature)).mean(),
        bounds=bounds,
        method="bounded",
        options={"xatol": 1e-6},
    )
    inside = bounds[0] + 1e-3 < found.x < bounds[1] - 1e-3
    return round(float(np.exp(found.x)), 6) if found.success and inside else 1.0
