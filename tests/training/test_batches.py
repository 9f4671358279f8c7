"""Batches are a function of (seed, epoch); pixels are those that serving sees."""

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.datasets import open_dataset
from isocenter.domain.dataset import Split
from isocenter.errors import InputError
from isocenter.imaging import to_unit
from isocenter_training.augmentation import Augmentation
from isocenter_training.batches import Images, TrainingBatches, read_ahead

CPU = torch.device("cpu")
PLAIN = Augmentation((), (), 0)


@pytest.fixture(scope="module")
def images(dataset: Path) -> Images:
    return Images(open_dataset(dataset), Split.TRAIN, 32, CPU)


def batches(images: Images, **options: int) -> TrainingBatches:
    return TrainingBatches(images, PLAIN, **({"batch_size": 12, "seed": 1} | options))


def test_pixels_are_exactly_those_that_the_reader_prepares(dataset: Path, images: Images) -> None:
    rows = images.rows[:5]
    expected = to_unit(np.asarray(open_dataset(dataset).pixels(32)[rows]))[:, None]
    assert np.array_equal(images.move(*images.read(rows)).images.numpy(), expected)


def test_epoch_takes_each_image_at_most_once_and_leaves_out_a_rest(images: Images) -> None:
    seen = torch.cat([batch.images for batch in batches(images).epoch(0)])
    assert len(seen) == 36
    assert len(torch.unique(seen.flatten(1), dim=0)) == 36


def test_order_changes_with_the_epoch_and_repeats_with_the_seed(images: Images) -> None:
    first, again = next(batches(images).epoch(0)), next(batches(images).epoch(0))
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, next(batches(images).epoch(1)).images)
    assert not torch.equal(first.images, next(batches(images, seed=2).epoch(0)).images)


def test_epoch_continues_from_a_step(images: Images) -> None:
    whole = list(batches(images).epoch(3))
    rest = list(batches(images, workers=2).epoch(3, first_step=1))
    assert len(rest) == len(whole) - 1
    for ours, theirs in zip(rest, whole[1:], strict=True):
        assert torch.equal(ours.images, theirs.images)
        assert torch.equal(ours.labels, theirs.labels)


@settings(max_examples=10, deadline=None)
@given(world_size=st.integers(1, 5))
def test_processes_share_each_batch(images: Images, world_size: int) -> None:
    whole = next(batches(images).epoch(0)).images
    shares = [
        next(batches(images, rank=rank, world_size=world_size).epoch(0)).images for rank in range(world_size)
    ]
    assert sum(len(share) for share in shares) == len(whole)
    assert {row.tobytes() for share in shares for row in share.numpy()} == {
        row.tobytes() for row in whole.numpy()
    }


def test_more_processes_than_images_in_a_batch_are_refused(images: Images) -> None:
    with pytest.raises(InputError, match="13 processes"):
        batches(images, world_size=13)


def test_batch_larger_than_the_split_takes_the_split(images: Images) -> None:
    (batch,) = batches(images, batch_size=1000).epoch(0)
    assert len(batch.labels) == 40


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_reading_ahead_keeps_the_order_and_stops_early(workers: int) -> None:
    started: list[int] = []

    def task(number: int) -> int:
        started.append(number)
        return number

    results = read_ahead((lambda n=n: task(n) for n in range(1000)), workers)
    assert [next(results) for _ in range(10)] == list(range(10))
    results.close()  # type: ignore[attr-defined]
    assert len(started) <= 10 + 3 * max(workers, 1)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("read-ahead")]


def test_failure_while_reading_ahead_reaches_the_caller() -> None:
    def fail() -> None:
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        list(read_ahead([fail], 2))
