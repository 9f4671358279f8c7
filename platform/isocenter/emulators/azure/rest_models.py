"""Bodies checked against the REST models that azure-ai-ml itself is generated from.

The SDK's models take what they don't know; here an unknown field, a wrong type, a value outside of an
enumeration or a missing field is refused, with the path to it.
"""

import datetime
import decimal
import enum
from collections.abc import Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import isodate
from azure.ai.ml._restclient.arm_ml_service import models
from azure.ai.ml._restclient.arm_ml_service._utils.model_base import Model

_NUMBERS = (int, float, decimal.Decimal)


class MalformedError(Exception):
    """A body that the service would not take.

    Args:
        path: of the field, e.g. ``properties.inputs.dataset.uri``.
        fault: what is wrong with it.
    """

    def __init__(self, path: str, fault: str) -> None:
        super().__init__(f"{path or 'The body'}: {fault}")


def check(body: Any, model: str) -> None:
    """Raise unless ``body`` (from JSON) is a whole ``model`` of ``azure.ai.ml._restclient.arm_ml_service``.

    Raises:
        MalformedError: names the first field that isn't as declared.
    """
    _check_model(body, getattr(models, model), "")


def _check_model(body: Any, model: type[Model], path: str) -> None:
    if not isinstance(body, dict):
        raise MalformedError(path, f"is {_kind(body)}, not an object")
    model = _discriminated(body, model, path)
    fields = _fields(model)
    for name in body:
        if name not in fields:
            raise MalformedError(_at(path, name), f"{model.__name__} has no such field")
    for name, declared in fields.items():
        if body.get(name) is not None:
            _check_value(body[name], declared, _at(path, name))
        elif NoneType not in get_args(declared) and declared is not Any and not _is_literal(declared):
            raise MalformedError(_at(path, name), "is missing")


def _discriminated(body: Mapping[str, Any], model: type[Model], path: str) -> type[Model]:
    """The kind of ``model`` that the body says it is."""
    kinds: Mapping[str, type[Model]] = model.__dict__.get("__mapping__", {})
    if not kinds:
        return model
    field = next(rest for rest in _rest_fields(model) if rest._is_discriminator)._rest_name
    if field not in body:
        raise MalformedError(_at(path, field), "is missing")
    known = {str(getattr(key, "value", key)): kind for key, kind in kinds.items()}
    if body[field] not in known:
        raise MalformedError(_at(path, field), f"is {body[field]!r}, none of {', '.join(sorted(known))}")
    return known[body[field]]


@cache
def _rest_fields(model: type[Model]) -> tuple[Any, ...]:
    return tuple(_table(model).values())


def _table(model: type[Model]) -> Mapping[str, Any]:
    """Attribute -> the SDK's own word on its field."""
    model.__new__(model)  # the SDK fills the table at the first use
    found: Mapping[str, Any] = vars(model)["_attr_to_rest_field"]
    return found


@cache
def _fields(model: type[Model]) -> Mapping[str, Any]:
    """Name in JSON -> declared type; what the service writes alone may be absent."""
    table = _table(model)
    hints = get_type_hints(model, localns={"_models": models})
    found = {}
    for attribute, rest in table.items():
        writable = not rest._visibility or "create" in rest._visibility or "update" in rest._visibility
        found[rest._rest_name] = hints[attribute] if writable else hints[attribute] | None
    return found


def _check_value(value: Any, declared: Any, path: str) -> None:
    origin, arguments = get_origin(declared), get_args(declared)
    if declared is Any:
        return
    if origin in (Union, UnionType):
        _check_union(value, [one for one in arguments if one is not NoneType], path)
    elif origin is Literal:
        wanted = [str(getattr(one, "value", one)) for one in arguments]
        if value not in wanted:
            raise MalformedError(path, f"is {value!r}, not {' or '.join(wanted)}")
    elif origin in (dict, Mapping):
        _check_instance(value, dict, path)
        for key, item in value.items():
            _check_value(item, arguments[1], _at(path, key))
    elif origin is list:
        _check_instance(value, list, path)
        for number, item in enumerate(value):
            _check_value(item, arguments[0], f"{path}[{number}]")
    elif issubclass(declared, Model):
        _check_model(value, declared, path)
    else:
        _check_plain(value, declared, path)


def _check_union(value: Any, kinds: list[Any], path: str) -> None:
    """An enumeration is declared as ``str | Enumeration``: a string outside of it is refused."""
    enumerations = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, enum.Enum)]
    if enumerations:
        known = {str(item.value) for kind in enumerations for item in kind}
        if not isinstance(value, str) or value.lower() not in {one.lower() for one in known}:
            raise MalformedError(path, f"is {value!r}, none of {', '.join(sorted(known))}")
        return
    faults = []
    for kind in kinds:
        try:
            _check_value(value, kind, path)
        except MalformedError as fault:
            faults.append(fault)
        else:
            return
    raise faults[0]


def _check_plain(value: Any, declared: type, path: str) -> None:
    if declared in _NUMBERS:
        right = isinstance(value, int if declared is int else int | float) and not isinstance(value, bool)
    elif declared in (datetime.timedelta, datetime.datetime):
        right = isinstance(value, str) and _is_time(value, declared)
    else:
        right = isinstance(value, str if declared is bytes else declared)
    if not right:
        raise MalformedError(path, f"is {_kind(value)} ({value!r}), not {declared.__name__}")


def _is_time(value: str, declared: type) -> bool:
    try:
        if declared is datetime.timedelta:
            isodate.parse_duration(value)
        else:
            isodate.parse_datetime(value)
    except (ValueError, isodate.ISO8601Error):
        return False
    return True


def _check_instance(value: Any, wanted: type, path: str) -> None:
    if not isinstance(value, wanted):
        raise MalformedError(path, f"is {_kind(value)}, not {'an object' if wanted is dict else 'a list'}")


def _is_literal(declared: Any) -> bool:
    return get_origin(declared) is Literal


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", NoneType: "null"}
    return names.get(type(value), "a number")


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
