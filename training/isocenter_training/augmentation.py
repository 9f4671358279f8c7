"""The plan's augmentation: random transforms by name, repeatable for each (seed, epoch, image).

Names with a small letter are :mod:`isocenter_training.batch_transforms`; names with a capital are MONAI's
array transforms (``RandGaussianSmooth``), applied to one image [1, S, S] at a time on the CPU. No generator
is carried from image to image, so that a resumed run and a run on more processes see the same pixels.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isocenter.domain.training_plan import Named, TrainingPlan
from isocenter.errors import InputError
from isocenter_training.batch_transforms import Affine, Erase, Gamma, Generators, Noise

Step = Callable[[Tensor, Generators], Tensor]

BATCH_TRANSFORMS: Mapping[str, Callable[..., Step]] = {
    "affine": Affine,
    "gamma": Gamma,
    "noise": Noise,
    "erase": Erase,
}
"""Plan name -> constructor of a transform of whole batches."""


class Augmentation:
    """The transforms of a plan in their order.

    Args:
        host: run on the CPU, before a batch goes to the device: all up to the last of MONAI's.
        device: run after them, where the batch is.
        seed: of the plan.
    """

    def __init__(self, host: tuple[Step, ...], device: tuple[Step, ...], seed: int) -> None:
        self.host = host
        self.device = device
        self._seed = seed

    def generators(self, rows: np.ndarray[Any, Any], epoch: int) -> list[np.random.Generator]:
        """One fresh generator for each image (dataset row) of a batch."""
        return [np.random.default_rng((self._seed, epoch, int(row))) for row in rows]


class _EachImage:
    """A MONAI transform, given one image at a time."""

    def __init__(self, transform: Any) -> None:
        self._transform = transform
        self._random = hasattr(transform, "set_random_state")

    def __call__(self, images: Tensor, generators: Generators) -> Tensor:
        return torch.stack([self._one(image, each) for image, each in zip(images, generators, strict=True)])

    def _one(self, image: Tensor, generator: np.random.Generator) -> Tensor:
        if self._random:
            self._transform.set_random_state(seed=int(generator.integers(2**32)))
        return torch.as_tensor(self._transform(image), dtype=torch.float32)


def build_augmentation(plan: TrainingPlan) -> Augmentation:
    """The plan's augmentation.

    Raises:
        InputError: a transform or argument is unknown, or a transform changes the image's shape (the message
            names the plan's field).
    """
    steps = [_build(named, index) for index, named in enumerate(plan.augmentation)]
    for index, step in enumerate(steps):
        _check(step, plan.image_size, index)
    split = max((i + 1 for i, step in enumerate(steps) if isinstance(step, _EachImage)), default=0)
    return Augmentation(tuple(steps[:split]), tuple(steps[split:]), plan.seed)


def _build(named: Named, index: int) -> Step:
    constructor = BATCH_TRANSFORMS.get(named.name)
    try:
        if constructor is not None:
            return constructor(**named.arguments)
        return _EachImage(_monai_class(named.name, index)(**named.arguments))
    except (TypeError, ValueError) as error:
        raise InputError(
            f"The plan's augmentation.{index}.arguments don't fit {named.name}: {error}"
        ) from error


def _monai_class(name: str, index: int) -> Any:
    import monai.transforms
    from monai.data.meta_obj import set_track_meta
    from monai.transforms.transform import MapTransform, Transform

    found = getattr(monai.transforms, name, None)
    is_array_transform = (
        isinstance(found, type) and issubclass(found, Transform) and not issubclass(found, MapTransform)
    )
    if not is_array_transform:
        raise InputError(
            f"The plan's augmentation.{index}.name {name!r} is unknown.",
            hint=f"Known: {', '.join(BATCH_TRANSFORMS)}; and MONAI's array transforms (RandGaussianSmooth).",
        )
    set_track_meta(False)  # a plain tensor instead of one with a history: half the time
    return found


def _check(step: Step, size: int, index: int) -> None:
    images = torch.full((1, 1, size, size), 0.5)
    try:
        shape = tuple(step(images, [np.random.default_rng(0)]).shape)
    except Exception as error:  # whatever a transform does with arguments that it took without looking
        raise InputError(f"The plan's augmentation.{index} fails on an image: {error}") from error
    if shape != tuple(images.shape):
        raise InputError(f"The plan's augmentation.{index} changes the image's shape to {shape[1:]}.")
