"""From attenuation to the picture on the screen: processing, noise, blur, exposure."""

import numpy as np

from isocenter.demo.plane import Image
from isocenter.demo.texture import blur


def develop(
    random: np.random.Generator,
    attenuation: Image,
    spacing: float,
    *,
    noise: float,
    blur_cm: float,
    enhancement: float,
) -> Image:
    """The picture for presentation: float32 [H, W] in 0..1, bone white.

    Its mean is set to a value that is drawn without regard to the content, as automatic exposure control and
    processing do: how bright an image is as a whole says nothing about disease.

    Args:
        random: source of noise and exposure.
        attenuation: [H, W], from :func:`isocenter.demo.thorax.attenuation`.
        spacing: centimetres between pixels.
        noise: deviation of the quantum noise behind 1 of attenuation.
        blur_cm: deviation of the detector's blur.
        enhancement: strength of the edge enhancement.
    """
    seen = blur(attenuation, spacing, blur_cm)
    # Fewer photons arrive behind more tissue, so the noise of the logarithm grows with it.
    grain = random.standard_normal(seen.shape, dtype=np.float32) * np.float32(noise)
    seen = seen + blur(grain, spacing, 0.6 * spacing) * np.sqrt(0.15 + np.maximum(seen, 0))
    seen = seen + np.float32(enhancement) * (seen - blur(seen, spacing, 1.6))
    curve = 1 / (1 + np.exp(-(seen - random.normal(0.80, 0.02)) * random.normal(3.6, 0.3)))
    low, high = np.quantile(curve[::4, ::4], (0.002, 0.998))
    unit = np.clip((curve - low) / (high - low), 0, 1)
    return _with_mean(unit, float(np.clip(random.normal(0.50, 0.045), 0.38, 0.62)))


def _with_mean(unit: Image, target: float) -> Image:
    """``unit`` to the power that brings its mean to ``target``."""
    sample = np.maximum(unit[::4, ::4], 1e-4)
    low, high = 0.2, 5.0
    for _ in range(20):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if float(np.mean(sample**middle)) > target else (low, middle)
    return np.asarray(np.maximum(unit, 1e-6) ** np.float32(low), dtype=np.float32)


def burn_in_side_marker(image: Image, spacing: float, *, white: float = 1.0) -> None:
    """A lead letter L at the patient's left shoulder, in place."""
    rows, columns = image.shape
    top, left = int(rows * 0.06), int(columns * 0.90)
    for start, wide, high in ((0.0, 0.25, 1.4), (1.15, 0.9, 0.25)):
        y, x = top + int(start / spacing), left
        patch = image[y : y + max(int(high / spacing), 1), x : x + max(int(wide / spacing), 1)]
        patch[...] = np.maximum(patch, white)
