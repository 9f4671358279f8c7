"""Grad-CAM: the right layer of each network family, and a map that points at what raised the score."""

import numpy as np
import pytest
import torch
from torch import nn

from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError
from isocenter_training.evaluation.gradcam import compute_maps, last_feature_map
from isocenter_training.networks import build_network


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("resnet10", "body.layer4"),
        ("densenet121", "body.class_layers.relu"),
        ("seresnet50", "body.layer4"),
        ("efficientnet-b0", None),
    ],
)
def test_finds_the_last_feature_map(name: str, layer: str | None) -> None:
    torch.manual_seed(0)
    network = build_network(TrainingPlan.model_validate({"name": name, "image_size": 64, "network": name}))
    found = last_feature_map(network, 64)
    assert layer is None or found == layer
    images = np.random.default_rng(0).random((2, 64, 64), dtype=np.float32)
    maps = compute_maps(network.eval(), images)
    assert maps.shape == (2, 64, 64)
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() <= 1


class SumOfBrightness(nn.Module):
    """Two channels, the image and its negative; the logit is the mean of the first, or less it."""

    def __init__(self, sign: float) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, 2, 1, bias=False)
        self.out = nn.Linear(2, 1, bias=False)
        with torch.no_grad():
            self.features.weight.copy_(torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1))
            self.out.weight.copy_(torch.tensor([[sign, 0.0]]))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.out(self.features(image).mean(dim=(2, 3)))


def test_points_at_what_raised_the_score() -> None:
    image = np.zeros((1, 24, 24), dtype=np.float32)
    image[0, 4:8, 15:20] = 1
    heat = compute_maps(SumOfBrightness(+1).eval(), image)[0]
    assert np.array_equal(heat, image[0])


def test_is_dark_where_nothing_raised_the_score() -> None:
    image = np.ones((1, 24, 24), dtype=np.float32)
    assert compute_maps(SumOfBrightness(-1).eval(), image).max() == 0


def test_a_network_without_feature_maps_is_refused() -> None:
    with pytest.raises(InputError, match="no convolutional feature map"):
        last_feature_map(nn.Sequential(nn.Flatten(), nn.Linear(64, 1)), 8)
