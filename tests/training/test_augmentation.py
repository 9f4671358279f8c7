"""Augmentation is a function of (seed, epoch, image)."""

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.domain.training_plan import parse_plan
from isocenter_training.augmentation import build_augmentation
from isocenter_training.batch_transforms import Affine, Erase, Gamma, Noise

STEPS = [
    "affine",
    {
        "name": "affine",
        "arguments": {"rotation": 20, "scale": 0.2, "stretch": 0.1, "shift": 0.1, "mirror": 0.5},
    },
    {"name": "RandGaussianNoise", "arguments": {"prob": 0.7}},
    {"name": "gamma", "arguments": {"strength": 0.5}},
    {"name": "noise", "arguments": {"deviation": 0.1}},
    {"name": "erase", "arguments": {"probability": 0.5, "side": 0.3}},
]


def augment(images: torch.Tensor, rows: list[int], epoch: int, seed: int = 3) -> torch.Tensor:
    plan = parse_plan(
        {"name": "x", "image_size": 32, "network": "resnet10", "augmentation": STEPS, "seed": seed}
    )
    augmentation = build_augmentation(plan)
    generators = augmentation.generators(np.array(rows), epoch)
    for step in (*augmentation.host, *augmentation.device):
        images = step(images, generators)
    return images


def pictures(count: int) -> torch.Tensor:
    return torch.rand(count, 1, 32, 32, generator=torch.Generator().manual_seed(1))


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(6)), share=st.integers(1, 6))
def test_neighbours_in_the_batch_do_not_matter(order: list[int], share: int) -> None:
    images = pictures(6)
    together = augment(images, list(range(6)), epoch=2)
    chosen = order[:share]
    torch.testing.assert_close(augment(images[chosen], chosen, epoch=2), together[chosen])


def test_epoch_seed_and_image_each_change_the_result() -> None:
    images = pictures(1).repeat(2, 1, 1, 1)
    first = augment(images, [0, 1], epoch=0)
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first, augment(images, [0, 1], epoch=1))
    assert not torch.equal(first, augment(images, [0, 1], epoch=0, seed=4))


def generators(count: int) -> list[np.random.Generator]:
    return [np.random.default_rng(number) for number in range(count)]


@pytest.mark.parametrize("transform", [Affine(), Gamma(0.0), Noise(0.0), Erase(probability=0.0)])
def test_transform_of_no_strength_changes_nothing(transform: Any) -> None:
    images = pictures(3)
    torch.testing.assert_close(transform(images, generators(3)), images, atol=1e-5, rtol=0)


def test_mirror_exchanges_left_and_right() -> None:
    images = pictures(2)
    torch.testing.assert_close(Affine(mirror=1.0)(images, generators(2)), images.flip(-1), atol=1e-5, rtol=0)


def test_shift_stays_within_its_part_of_the_side() -> None:
    images = torch.zeros(64, 1, 32, 32)
    images[:, :, 16, 16] = 1.0
    moved = Affine(shift=0.25)(images, generators(64))[:, 0]
    places = torch.stack([torch.nonzero(image == image.max())[0] for image in moved])
    assert int((places - 16).abs().max()) <= 9
    assert len({tuple(place.tolist()) for place in places}) > 20


def test_gamma_keeps_black_and_white() -> None:
    images = torch.tensor([0.0, 1.0]).repeat(4, 1, 1, 8)
    torch.testing.assert_close(Gamma(0.8)(images, generators(4)), images)


def test_erase_covers_one_square_of_the_side() -> None:
    images = pictures(8)
    changed = Erase(probability=1.0, side=0.25)(images, generators(8)) != images
    assert all(56 <= int(one.sum()) <= 81 for one in changed)
