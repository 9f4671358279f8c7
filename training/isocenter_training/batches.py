"""From a dataset's memory-mapped pixels to batches on the device.

Pixels were decoded and resized once, at ingest. A batch is an index into that array, one copy to the device
and one division there: no worker processes, no pickling, no per-image Python.
"""

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from isocenter.domain.dataset import Split
from isocenter.errors import InputError
from isocenter_training.augmentation import Augmentation, Step
from isocenter_training.batch_transforms import Generators

if TYPE_CHECKING:
    from isocenter.datasets import Dataset

Rows: TypeAlias = NDArray[np.int64]
_Result = TypeVar("_Result")

_WHITE = 65535.0


@dataclass(frozen=True)
class Batch:
    """Some images, float32 [N, 1, S, S] in 0..1, channels last, and their labels, float32 [N, 1]."""

    images: Tensor
    labels: Tensor


class Images:
    """One split of a dataset at one image size.

    Args:
        dataset: an opened dataset.
        split: which images.
        size: rows and columns of the pixels.
        device: where batches are to be.

    Raises:
        InputError: the dataset holds no pixels of this size, or the split lacks a class.
    """

    def __init__(self, dataset: "Dataset", split: Split, size: int, device: torch.device) -> None:
        self._pixels = dataset.pixels(size)
        self._labels = np.asarray(dataset.column("label"), dtype=np.float32)
        self.device = device
        self.rows: Rows = np.asarray(dataset.rows(split), dtype=np.int64)
        for label, name in enumerate(dataset.version.classes):
            if not (self._labels[self.rows] == label).any():
                raise InputError(
                    f"The dataset's {split} images lack the class {name!r}.",
                    hint="Add patients of that class; each split takes a fixed share of the patients.",
                )

    @property
    def labels(self) -> NDArray[np.float32]:
        """The label of each of ``rows``."""
        return self._labels[self.rows]

    def share(self, rank: int, world_size: int) -> "Images":
        """Every ``world_size``-th of these images, from ``rank`` on."""
        part = copy.copy(self)
        part.rows = self.rows[rank::world_size]
        return part

    def read(self, rows: Rows) -> tuple[Tensor, Tensor]:
        """Pixels uint16 [N, 1, S, S] and labels of some rows on the CPU, page-locked if there is a GPU."""
        pixels = torch.from_numpy(np.asarray(self._pixels[rows]))[:, None]
        labels = torch.from_numpy(self._labels[rows])[:, None]
        if self.device.type == "cuda":
            return pixels.pin_memory(), labels.pin_memory()
        return pixels, labels

    def move(self, pixels: Tensor, labels: Tensor) -> Batch:
        """Put a batch on the device; integer pixels become 0..1 there as in ``isocenter.imaging.to_unit``."""
        images = pixels.to(self.device, non_blocking=True)
        if images.dtype != torch.float32:
            images = images.to(torch.float32) / _WHITE
        return Batch(images, labels.to(self.device, non_blocking=True))

    def in_order(self, batch_size: int) -> Iterator[Batch]:
        """All images, unchanged, in the order of ``rows``."""
        for start in range(0, len(self.rows), batch_size):
            batch = self.move(*self.read(self.rows[start : start + batch_size]))
            yield Batch(batch.images.contiguous(memory_format=torch.channels_last), batch.labels)


class TrainingBatches:
    """The augmented batches of an epoch; a function of (seed, epoch) alone.

    Args:
        images: the training split.
        augmentation: applied to each image.
        batch_size: images in a step, over all processes; a last, smaller batch is left out.
        seed: of the plan.
        rank, world_size: this process takes every ``world_size``-th image of a batch.
        workers: threads that read ahead; 0 reads when asked.
    """

    def __init__(
        self,
        images: Images,
        augmentation: Augmentation,
        *,
        batch_size: int,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        workers: int = 0,
    ) -> None:
        self.batch_size = min(batch_size, len(images.rows))
        if self.batch_size < world_size:
            raise InputError(f"{world_size} processes can't share a batch of {self.batch_size} images.")
        self.steps = len(images.rows) // self.batch_size
        self._images = images
        self._augmentation = augmentation
        self._seed = seed
        self._share = slice(rank, None, world_size)
        self._workers = workers

    def epoch(self, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The epoch's batches from ``first_step`` on."""
        order = np.random.default_rng((self._seed, epoch)).permutation(self._images.rows)
        steps = order[: self.steps * self.batch_size].reshape(self.steps, self.batch_size)
        tasks = [partial(self._read, rows[self._share], epoch) for rows in steps[first_step:]]
        for part in read_ahead(tasks, self._workers):
            yield self._finish(part)

    def _read(self, rows: Rows, epoch: int) -> "_Part":
        pixels, labels = self._images.read(rows)
        generators = self._augmentation.generators(rows, epoch)
        if self._augmentation.host:
            pixels = _apply(self._augmentation.host, pixels.to(torch.float32) / _WHITE, generators)
        return _Part(pixels, labels, generators)

    def _finish(self, part: "_Part") -> Batch:
        batch = self._images.move(part.pixels, part.labels)
        images = _apply(self._augmentation.device, batch.images, part.generators)
        return Batch(images.contiguous(memory_format=torch.channels_last), batch.labels)


@dataclass(frozen=True)
class _Part:
    """A batch on the CPU, with the generators that its remaining transforms draw from."""

    pixels: Tensor
    labels: Tensor
    generators: Generators


def _apply(steps: Iterable[Step], images: Tensor, generators: Generators) -> Tensor:
    for step in steps:
        images = step(images, generators)
    return images


def read_ahead(tasks: Iterable[Callable[[], _Result]], workers: int) -> Iterator[_Result]:
    """The results of ``tasks`` in order, two a thread being worked on ahead; 0 workers: one by one."""
    if workers == 0:
        yield from (task() for task in tasks)
        return
    waiting: deque[Future[_Result]] = deque()
    remaining = iter(tasks)
    with ThreadPoolExecutor(workers, thread_name_prefix="read-ahead") as pool:
        waiting.extend(pool.submit(task) for task in islice(remaining, 2 * workers))
        try:
            while waiting:
                result = waiting.popleft().result()
                waiting.extend(pool.submit(task) for task in islice(remaining, 1))
                yield result
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
