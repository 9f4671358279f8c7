"""What is wrong with the fields of a document, in the words of whoever wrote it."""

import difflib
import re
from collections.abc import Iterator, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel, ValidationError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MOST = 5
# Type of a fault whose message is all that is to be said.
WHOLE_SENTENCE = "whole_sentence"
_LONGEST_VALUE = 40
# What pydantic says of a wrong type, in the words of whoever writes JSON or YAML.
_TYPES = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "dict_type": "a mapping of fields",
    "mapping_type": "a mapping of fields",
    "model_type": "a mapping of fields",
    "string_type": "text",
    "tuple_type": "a list",
}
_OPENING = re.compile(r"^(?:Value error, |(?:\w+ )?should )")


def field_faults(error: ValidationError, model: type[BaseModel], *, most: int = _MOST) -> str:
    """Every fault with its place: ``budgt is no field here (did you mean budget?); name is missing``.

    Args:
        error: raised by ``model``.
        model: what the document should have been.
        most: so many are told, the others counted.

    Returns:
        The faults, joined by semicolons, without a full stop.
    """
    details = error.errors(include_url=False)
    found = [_fault(detail, model) for detail in details if not _follows(detail, details)]
    more = [f"and {len(found) - most} more"] if len(found) > most else []
    return "; ".join([*found[:most], *more])


def _follows(detail: "ErrorDetails", details: "Sequence[ErrorDetails]") -> bool:
    """Whether a fault inside of this place has been named: this one is its consequence."""
    place = detail["loc"]
    inner = (other["loc"] for other in details if len(other["loc"]) > len(place))
    return any(other[: len(place)] == place for other in inner)


def _fault(detail: "ErrorDetails", model: type[BaseModel]) -> str:
    place = ".".join(str(part) for part in detail["loc"])
    match detail["type"]:
        case "missing":
            return f"{place} is missing"
        case "whole_sentence":
            return detail["msg"]
        case "too_short":
            return f"{place} must have at least {_items(detail['ctx']['min_length'])}"
        case "json_invalid":
            return f"it is no JSON: {detail['ctx']['error']}"
        case "invalid_key":
            return f"{detail['input']!r} is no field here: a field's name is a text"
        case "extra_forbidden":
            return f"{place} is no field here{_suggestion(model, detail['loc'])}"
        case "value_error":
            return f"{place}: {detail['msg'].removeprefix('Value error, ')}" if place else _tail(detail)
    if detail["type"] in _TYPES:
        said = f"{place or 'the whole'} must be {_TYPES[detail['type']]}{_not_this(detail['input'])}"
        return said + _remedy(detail["type"], detail["input"])
    said = f"must {_tail(detail)}" if "should " in detail["msg"] else detail["msg"]
    return f"{place or 'the whole'} {said}{_not_this(detail['input'])}"


def _tail(detail: "ErrorDetails") -> str:
    """Pydantic's sentence without its opening and without how its parser failed."""
    return _OPENING.sub("", detail["msg"]).split(", unable to")[0]


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


def _remedy(kind: str, value: Any) -> str:
    """How the same value is written right."""
    if kind == "string_type" and _is_plain(value):
        return ": write it in quotes"
    if kind == "int_type" and isinstance(value, str | float):
        return ": write it in plain digits, without quotes" if not isinstance(value, bool) else ""
    return ""


def _is_plain(value: Any) -> bool:
    """Whether a text without its quotes was read as this."""
    return isinstance(value, bool | int | float | date)


def _not_this(value: Any) -> str:
    if isinstance(value, list | dict):
        return f", not a {'list' if isinstance(value, list) else 'mapping'}"
    if isinstance(value, str) and "://" in value and "@" in value:  # may hold a password
        return ""
    if not isinstance(value, str | int | float):
        return ""
    text = repr(value)
    return f", not {text}" if len(text) <= _LONGEST_VALUE else ""


def _suggestion(model: type[BaseModel], place: Sequence[str | int]) -> str:
    known = {name for owner in _owners(model, place[:-1]) for name in owner.model_fields}
    near = difflib.get_close_matches(str(place[-1]), known, n=1)
    if near:
        return f" (did you mean {near[0]}?)"
    return f" (there are: {', '.join(sorted(known))})" if known else ""


def _owners(model: type[BaseModel], place: Sequence[str | int]) -> list[type[BaseModel]]:
    """The models that the value at ``place`` may be."""
    owners = [model]
    for part in place:
        if isinstance(part, str):
            fields = [owner.model_fields[part] for owner in owners if part in owner.model_fields]
            owners = [inner for field in fields for inner in _models_in(field.annotation)]
    return owners


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
