"""Each image is held against the training images before it is scored."""

from dataclasses import replace

from isocenter_serving.coded_attributes import coded
from isocenter_serving.features import features_of
from isocenter_serving.instance import Served
from isocenter_serving.reference import Reference
from isocenter_serving.verdict import judge


class InputCheck:
    """A hook that describes an image, says what is unlike the training images, and makes the model abstain.

    Args:
        reference: the bundle's profile.
    """

    def __init__(self, reference: Reference) -> None:
        self._reference = reference

    def examine(self, served: Served) -> None:
        """See :class:`~isocenter_serving.instance.Hook`."""
        if served.tile is None:
            return
        found = features_of(served.tile, served.attributes)
        served.features = replace(found, attributes=coded(found.attributes, self._reference))
        served.verdict = judge(served.features, self._reference)

    def keep(self, served: Served) -> None:
        """Nothing more."""

    def close(self) -> None:
        """Nothing to end."""
