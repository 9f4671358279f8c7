"""Random changes of a whole batch in a few tensor operations, on the batch's device.

MONAI's transforms take one image at a time, 2 to 3 ms for an affine and a gamma at 128 x 128: as long as the
forward and backward pass of a small network. These take a tenth of that.

Each draws what it needs for an image from that image's own generator, so that the result depends on the image
and not on its neighbours in the batch. Images are float32 [N, 1, S, S] in 0..1.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

Generators = Sequence[np.random.Generator]


def _uniform(generators: Generators, low: Sequence[float], high: Sequence[float], like: Tensor) -> Tensor:
    """Numbers [K, N]: for each image one in each of the K ranges."""
    rows = [generator.uniform(low, high) for generator in generators]
    return torch.from_numpy(np.asarray(rows, dtype=np.float32).T.copy()).to(like.device, non_blocking=True)


def _each(values: Tensor) -> Tensor:
    return values[:, None, None, None]


class Affine:
    """Rotation, scale, stretch, shift and mirror image in one bilinear resampling; outside is black.

    Args:
        rotation: up to so many degrees to either side.
        scale: size changes up to this factor, 0.1 for 10 %, either way.
        stretch: height against width changes up to this factor.
        shift: up to this part of the image's side, in both directions.
        mirror: probability of left and right being exchanged.
    """

    def __init__(
        self,
        rotation: float = 0.0,
        scale: float = 0.0,
        stretch: float = 0.0,
        shift: float = 0.0,
        mirror: float = 0.0,
    ) -> None:
        if not (0 <= scale < 1 and 0 <= stretch < 1 and 0 <= shift < 1 and 0 <= mirror <= 1):
            raise ValueError("scale, stretch and shift must be in [0, 1), mirror in [0, 1]")
        angle = float(np.deg2rad(rotation))
        self._high = [angle, np.log1p(scale), np.log1p(stretch), 2 * shift, 2 * shift, 1.0]
        self._low = [-value for value in self._high[:5]] + [0.0]
        self._mirror = mirror

    def __call__(self, images: Tensor, generators: Generators) -> Tensor:
        """Change each image."""
        angle, scale, stretch, dx, dy, chance = _uniform(generators, self._low, self._high, images)
        sign = torch.where(chance < self._mirror, -1.0, 1.0)
        x, y = torch.exp(-scale + stretch / 2), torch.exp(-scale - stretch / 2)
        first = torch.stack([sign * angle.cos() * x, -angle.sin() * y, dx], dim=1)
        second = torch.stack([sign * angle.sin() * x, angle.cos() * y, dy], dim=1)
        theta = torch.stack([first, second], dim=1)
        grid = torch.nn.functional.affine_grid(theta, list(images.shape), align_corners=False)
        return torch.nn.functional.grid_sample(images, grid, align_corners=False)


class Gamma:
    """Each image to the power of ``exp(u)``, u uniform in ±``strength``: other windows and exposures."""

    def __init__(self, strength: float) -> None:
        if strength < 0:
            raise ValueError("strength is below 0")
        self._strength = strength

    def __call__(self, images: Tensor, generators: Generators) -> Tensor:
        """Change each image."""
        (power,) = _uniform(generators, [-self._strength], [self._strength], images)
        return images.clamp_min(0).pow(_each(power.exp()))


class Noise:
    """Adds normal noise of a standard deviation that is uniform in 0..``deviation``."""

    def __init__(self, deviation: float) -> None:
        if deviation < 0:
            raise ValueError("deviation is below 0")
        self._deviation = deviation

    def __call__(self, images: Tensor, generators: Generators) -> Tensor:
        """Change each image."""
        (deviation,) = _uniform(generators, [0.0], [self._deviation], images)
        shape = tuple(images.shape[1:])
        rows = np.stack([generator.standard_normal(shape, dtype=np.float32) for generator in generators])
        noise = torch.from_numpy(rows).to(images.device, non_blocking=True)
        return images + noise * _each(deviation)


class Erase:
    """Puts the image's mean into a square, so that no single spot decides.

    Args:
        probability: of an image being changed.
        side: of the square, as a part of the image's side.
    """

    def __init__(self, probability: float = 0.5, side: float = 0.25) -> None:
        if not (0 <= probability <= 1 and 0 < side < 1):
            raise ValueError("probability must be in [0, 1], side in (0, 1)")
        self._probability = probability
        self._side = side

    def __call__(self, images: Tensor, generators: Generators) -> Tensor:
        """Change some of the images."""
        chance, top, left = _uniform(generators, [0.0] * 3, [1.0, 1 - self._side, 1 - self._side], images)
        steps = torch.arange(images.shape[-1], device=images.device) / images.shape[-1]
        down = (steps >= top[:, None]) & (steps < top[:, None] + self._side)
        across = (steps >= left[:, None]) & (steps < left[:, None] + self._side)
        square = (down[:, :, None] & across[:, None, :])[:, None] & _each(chance < self._probability)
        return torch.where(square, images.mean(dim=(1, 2, 3), keepdim=True), images)
