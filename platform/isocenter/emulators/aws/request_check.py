"""Requests held against botocore's own model of SageMaker.

botocore's client checks required and unknown members, types and lower bounds; the service also checks enums,
patterns and upper bounds. A real service ignores members that it doesn't know: here they are refused, because
they are mistakes.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from isocenter.emulators.aws.service_error import ServiceError, invalid

if TYPE_CHECKING:
    from botocore.model import ServiceModel, Shape

_TYPES: Mapping[str, tuple[type, ...]] = {
    "structure": (dict,),
    "map": (dict,),
    "list": (list,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (int, float, str),
}
# Unicode letters, as near as a character class of Python can be.
_LETTERS = "A-Za-z\u00aa-\u02af\u0370-\u1fff\u3040-\ud7ff"


@cache
def service_model() -> "ServiceModel":
    """botocore's model of SageMaker."""
    import botocore.session

    return botocore.session.get_session().get_service_model("sagemaker")


def check_request(operation: str, value: Any) -> None:
    """Raise if ``value`` is no request of ``operation``.

    Raises:
        ServiceError: SerializationException for a type, ValidationException for all else.
    """
    faults = list(_faults(service_model().operation_model(operation).input_shape, value, ""))
    if faults:
        several = "s" if len(faults) > 1 else ""
        raise invalid(f"{len(faults)} validation error{several} detected: {'; '.join(faults)}")


def answer_faults(operation: str, value: Any) -> list[str]:
    """What is wrong with ``value`` as an answer of ``operation``; for tests of the emulator."""
    return list(_faults(service_model().operation_model(operation).output_shape, value, ""))


def _faults(shape: "Shape", value: Any, path: str) -> Iterator[str]:
    _refuse_type(shape, value, path)
    if shape.type_name == "structure":
        yield from _structure_faults(shape, value, path)
        return
    yield from _constraint_faults(shape, value, path)
    if shape.type_name == "list":
        for number, item in enumerate(value, 1):
            yield from _faults(shape.member, item, f"{path}.{number}.member")
    elif shape.type_name == "map":
        for key, item in value.items():
            yield from _faults(shape.key, key, f"{path}.key")
            yield from _faults(shape.value, item, f"{path}.{key}.member")


def _refuse_type(shape: "Shape", value: Any, path: str) -> None:
    expected = _TYPES.get(shape.type_name, (object,))
    if not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        kind = shape.type_name
        raise ServiceError("SerializationException", f"{path or 'The body'} can not be converted to a {kind}")


def _structure_faults(shape: "Shape", value: Mapping[str, Any], path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield _fault("null", _under(path, name), "Member must not be null")
    for name, item in value.items():
        if name not in shape.members:
            yield f"Unknown member {name!r} at '{path or 'the body'}'"
        elif item is not None:
            yield from _faults(shape.members[name], item, _under(path, name))


def _constraint_faults(shape: "Shape", value: Any, path: str) -> Iterator[str]:
    rules = shape.metadata
    size = value if isinstance(value, int | float) else len(value)
    what = "value" if isinstance(value, int | float) else "length"
    if "min" in rules and size < rules["min"]:
        yield _fault(value, path, f"Member must have {what} greater than or equal to {rules['min']}")
    if "max" in rules and size > rules["max"]:
        yield _fault(value, path, f"Member must have {what} less than or equal to {rules['max']}")
    if "enum" in rules and value not in rules["enum"]:
        yield _fault(value, path, f"Member must satisfy enum value set: [{', '.join(rules['enum'])}]")
    if "pattern" in rules and isinstance(value, str):
        pattern = _pattern(rules["pattern"])
        if pattern is not None and not pattern.fullmatch(value):
            yield _fault(value, path, f"Member must satisfy regular expression pattern: {rules['pattern']}")


@cache
def _pattern(text: str) -> re.Pattern[str] | None:
    """Java's pattern as Python's; None for the few that can't be read."""
    for java, python in (("\\p{L}", _LETTERS), ("\\p{M}", ""), ("\\p{Z}", " "), ("\\p{N}", "0-9")):
        text = text.replace(java, python)
    try:
        return re.compile(text)
    except re.error:
        return None


def _under(path: str, name: str) -> str:
    lower = name[0].lower() + name[1:]
    return f"{path}.{lower}" if path else lower


def _fault(value: Any, path: str, constraint: str) -> str:
    return f"Value '{str(value)[:200]}' at '{path}' failed to satisfy constraint: {constraint}"
