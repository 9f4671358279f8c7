"""The two names between which a model decides."""

from collections.abc import Sequence

from isocenter.errors import InputError


def check_classes(classes: Sequence[str]) -> None:
    """Refuse anything but two different, non-empty names.

    Raises:
        InputError: what the docstring says.
    """
    if len(classes) != 2 or len({name.strip().casefold() for name in classes} - {""}) != 2:
        raise InputError(
            "Two different class names are needed.",
            hint="Name the negative class first: --classes normal,pneumonia",
        )
