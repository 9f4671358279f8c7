"""The bundle's ReferenceProfile, as far as serving compares with it."""

import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from isocenter.domain.field_faults import field_faults
from isocenter.errors import InputError


class Distribution(BaseModel):
    """How one number was distributed over the training images."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    count: int
    quantiles: tuple[float, ...] = ()


class Reference(BaseModel):
    """What the training images looked like (``isocenter_training.reference_profile``)."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    images: int
    attributes: Mapping[str, Mapping[str, int]]
    image_statistics: Mapping[str, Distribution]

    def seen(self, attribute: str, *, share: float = 0.0) -> frozenset[str]:
        """Values that more than ``share`` of the images record."""
        counts = self.attributes.get(attribute, {})
        return frozenset(value for value, count in counts.items() if value and count > share * self.images)


def read_reference(root: Path) -> Reference:
    """The profile of the bundle in ``root``.

    Raises:
        InputError: it is absent or can't be understood.
    """
    try:
        return Reference.model_validate(json.loads((root / "reference_profile.json").read_bytes()))
    except ValidationError as error:
        faults = field_faults(error, Reference)
        raise InputError(f"The bundle's reference_profile.json is wrong: {faults}.") from error
    except (OSError, ValueError) as error:
        raise InputError("The bundle's reference_profile.json is missing or can't be read.") from error
