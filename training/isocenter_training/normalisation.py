"""Intensity normalisation, inside the network, so that training, evaluation and serving can't differ."""

import torch
from torch import Tensor, nn

_EPSILON = 1e-6


class Standardise(nn.Module):
    """Each image to mean 0 and standard deviation 1; an image of one value becomes all zero.

    Takes and returns float32 [N, C, H, W]. It takes away what differs between scanners in window and gain.
    """

    def forward(self, image: Tensor) -> Tensor:
        """Standardise each image over its channels, rows and columns."""
        centred = image - image.mean(dim=(1, 2, 3), keepdim=True)
        variance = (centred * centred).mean(dim=(1, 2, 3), keepdim=True)
        return centred * torch.rsqrt(variance + _EPSILON)
