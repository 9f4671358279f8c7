"""Which statements of a card still have to be written before its model may be promoted."""

import re
from collections.abc import Iterator

from pydantic import BaseModel

from isocenter.cards.model_card import ModelCard
from isocenter.cards.statement import Need, need_of

_PLACEHOLDER = re.compile(r"[\W_]*(todo|tbd|tba|fixme|xxx+|unknown|lorem ipsum.*)?[\W_]*", re.I | re.S)
_NOT_AVAILABLE = re.compile(r"[\W_]*(n\s*/?\s*a|not (yet )?(available|applicable|done))[\W_]*", re.I)


def missing_fields(card: ModelCard) -> list[str]:
    """Dotted names of required statements that are empty or hold only a placeholder (``TODO``, ``-``).

    A bare "not available" is an answer only where HTI-1 allows it.
    """
    return [name for name, section, field in statements(card) if not _is_answered(section, field)]


def statements(part: BaseModel, prefix: str = "") -> Iterator[tuple[str, BaseModel, str]]:
    """Each statement of a card: its dotted name, the section that holds it and its name there."""
    for field in type(part).model_fields:
        value = getattr(part, field)
        if need_of(type(part), field) is not None:
            yield prefix + field, part, field
        elif isinstance(value, BaseModel):
            yield from statements(value, f"{prefix}{field}.")


def _is_answered(section: BaseModel, field: str) -> bool:
    need = need_of(type(section), field)
    value = getattr(section, field)
    text = "" if value is None else str(value)
    if need is Need.OPTIONAL:
        return True
    if _NOT_AVAILABLE.fullmatch(text):
        return need is Need.OR_NOT_AVAILABLE
    return not _PLACEHOLDER.fullmatch(text)
