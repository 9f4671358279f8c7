"""How a model version is named: ``cxr``, ``cxr:3``, ``cxr@champion``, ``sha256:5f2c...``."""

import re
from dataclasses import dataclass

from isocenter.domain.model import Alias
from isocenter.errors import InputError

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?")
_DIGEST = re.compile(r"sha256:([0-9a-f]{8,64})")
_FORMS = "Write NAME (its newest version), NAME:3, NAME@champion or sha256: with 8 or more digits."


@dataclass(frozen=True)
class ModelReference:
    """A parsed reference: either ``digest`` or ``name`` is set.

    Args:
        name: the model's name; empty for a digest.
        number: version; None for the newest, or where an alias is given.
        alias: None where none is given.
        digest: full digest or its beginning; empty for a name.
    """

    name: str = ""
    number: int | None = None
    alias: Alias | None = None
    digest: str = ""


def parse_reference(text: str) -> ModelReference:
    """The reference that ``text`` spells.

    Raises:
        InputError: not one of the four forms.
    """
    if text.startswith("sha256:"):
        if not _DIGEST.fullmatch(text):
            raise InputError(f"{text[:80]!r} is not a digest.", hint=_FORMS)
        return ModelReference(digest=text)
    name, alias_mark, alias = text.partition("@")
    if alias_mark:
        return ModelReference(check_model_name(name), alias=_alias(alias))
    name, number_mark, number = text.partition(":")
    if not number_mark:
        return ModelReference(check_model_name(name))
    if not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise InputError(f"{number[:80]!r} is not the number of a version.", hint=_FORMS)
    return ModelReference(check_model_name(name), int(number))


def check_model_name(name: str) -> str:
    """``name`` if a model may be called so.

    Raises:
        InputError: it may not.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            f"{name[:80]!r} can't name a model.",
            hint="At most 63 lower-case letters, digits, dots, hyphens, underscores; no mark at the ends.",
        )
    return name


def _alias(text: str) -> Alias:
    try:
        return Alias(text)
    except ValueError:
        raise InputError(f"No alias {text[:80]!r}.", hint=f"There are: {', '.join(Alias)}.") from None
