"""Single changes that a careless or malicious edit could make to a synthesized stack."""

from dataclasses import dataclass
from typing import Any, Final

REMOVED: Final = object()


@dataclass(frozen=True)
class Mutation:
    """One change.

    Args:
        control: number of the control that it breaks.
        kind: Terraform resource type.
        path: which resources, as a pattern on the construct path without the stack's name.
        setting: dotted path into the resource's body, as in ``Requirement``; empty: the resource itself.
        value: the new value, or ``REMOVED``.
    """

    control: int
    kind: str
    path: str
    setting: str
    value: Any
