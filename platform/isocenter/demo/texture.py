"""Random textures and blur, made in the frequency domain."""

import numpy as np

from isocenter.demo.plane import Image


def fractal_texture(
    random: np.random.Generator, shape: tuple[int, int], spacing: float, *, exponent: float, largest: float
) -> Image:
    """A texture of mean 0 and deviation 1 whose amplitude falls with frequency to the power ``exponent``.

    Args:
        random: source of the phases.
        shape: rows and columns.
        spacing: centimetres between pixels.
        exponent: 0 is white noise; 2 is cloud-like.
        largest: size in centimetres of the largest structures.
    """
    white = random.standard_normal(shape, dtype=np.float32)
    frequency = np.sqrt(_frequency_squared(shape, spacing) + np.float32(1 / largest**2))
    texture = _filtered(white, frequency ** np.float32(-exponent))
    return np.asarray((texture - texture.mean()) / texture.std(), dtype=np.float32)


def blur(image: Image, spacing: float, sigma: float) -> Image:
    """``image`` under a Gaussian of ``sigma`` cm, mirrored at the borders so that they don't wrap."""
    if sigma <= 0:
        return image
    margin = min(int(3 * sigma / spacing) + 1, min(image.shape) - 1)
    wide = np.pad(image, margin, mode="reflect")
    transfer = np.exp(_frequency_squared(wide.shape, spacing) * np.float32(-2 * (np.pi * sigma) ** 2))
    return _filtered(wide, transfer)[margin:-margin, margin:-margin]


def _frequency_squared(shape: tuple[int, ...], spacing: float) -> Image:
    down = np.fft.fftfreq(shape[0], spacing).astype(np.float32)[:, None]
    across = np.fft.rfftfreq(shape[1], spacing).astype(np.float32)
    squared: Image = down * down + across * across
    return squared


def _filtered(image: Image, transfer: Image) -> Image:
    spectrum = np.fft.rfft2(image)
    spectrum *= transfer
    return np.fft.irfft2(spectrum, s=image.shape).astype(np.float32)
