"""Vertex AI's methods as google-cloud-aiplatform defines them, and requests parsed into its messages."""

import importlib
import inspect
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.emulators.web_server import Request

# A protobuf message; Google's have no types that mypy could read.
Message = Any

_SERVICES = ("job_service", "model_service", "pipeline_service", "endpoint_service", "prediction_service")
_PACKAGE = "google.cloud.aiplatform_v1"
_FIELD = re.compile(r"\{([a-z_.]+)=([^}]+)\}")


@dataclass(frozen=True)
class Rpc:
    """One method.

    Args:
        name: e.g. ``CreateCustomJob``.
        method: of HTTP.
        path: of the URL; its groups are the request's fields, in the order of ``fields``.
        fields: names of fields that the path holds.
        body: the field that the body is; ``*`` for the whole request, empty for none.
        request: makes an empty request.
    """

    name: str
    method: str
    path: re.Pattern[str]
    fields: tuple[str, ...]
    body: str
    request: Any


def find_rpc(request: Request) -> tuple[Rpc, Message]:
    """Which method was called, and with what.

    Raises:
        ServiceError: none, or its request holds an unknown or ill-typed field.
    """
    for rpc in _rpcs():
        match = rpc.path.fullmatch(request.plain_path) if rpc.method == request.method else None
        if match:
            return rpc, _parse(rpc, match, request)
    raise ServiceError(404, f"The requested URL {request.path} was not found on this server.")


def to_json(message: Message, request: Request) -> dict[str, Any]:
    """A message as the client asked for it: enums by name, or by number (``$alt=json;enum-encoding=int``)."""
    from google.protobuf.json_format import MessageToDict

    found: dict[str, Any] = MessageToDict(
        message, use_integers_for_enums="enum-encoding=int" in request.first("$alt")
    )
    return found


@cache
def _rpcs() -> tuple[Rpc, ...]:
    return tuple(rpc for service in _SERVICES for rpc in _rpcs_of(service))


def _rpcs_of(service: str) -> Iterator[Rpc]:
    transport = importlib.import_module(f"{_PACKAGE}.services.{service}.transports.rest_base")
    types = importlib.import_module(f"{_PACKAGE}.types.{service}")
    (base,) = (
        each
        for name, each in inspect.getmembers(transport, inspect.isclass)
        if name.startswith("_Base") and name.endswith("RestTransport")
    )
    for name, stub in inspect.getmembers(base, inspect.isclass):
        kind = getattr(types, f"{name.removeprefix('_Base')}Request", None)
        options = getattr(stub, "_get_http_options", None)  # streams have none
        if not name.startswith("_Base") or kind is None or options is None:
            continue
        for option in options():
            pattern, fields = _pattern(option["uri"])
            yield Rpc(
                name.removeprefix("_Base"),
                option["method"].upper(),
                pattern,
                fields,
                option.get("body", ""),
                lambda kind=kind: kind.pb(kind()),
            )


def _pattern(uri: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    """https://google.aip.dev/127: ``*`` is one segment."""
    text, at, fields = "", 0, []
    for match in _FIELD.finditer(uri):
        inner = "".join("[^/:]+" if part == "*" else re.escape(part) for part in re.split(r"(\*)", match[2]))
        text += re.escape(uri[at : match.start()]) + f"({inner})"
        fields.append(match[1])
        at = match.end()
    return re.compile(text + re.escape(uri[at:])), tuple(fields)


def _parse(rpc: Rpc, match: "re.Match[str]", request: Request) -> Message:
    from google.protobuf.json_format import ParseDict, ParseError

    message: Message = rpc.request()
    values: dict[str, Any] = {}
    for name, found in request.query.items():
        if not name.startswith("$"):
            _put(values, name, _query_value(found))
    if rpc.body:
        body = _json(request.body)
        values = {**values, **body} if rpc.body == "*" else {**values, rpc.body: body}
    for name, value in zip(rpc.fields, match.groups(), strict=True):
        _put(values, name, value)
    try:
        ParseDict(values, message)
    except ParseError as error:
        raise ServiceError(400, f"Invalid JSON payload received. {error}") from error
    _refuse_unknown_enums(message)
    return message


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body or b"{}")
    except ValueError as error:
        raise ServiceError(400, f"Invalid JSON payload received. {error}") from error
    if not isinstance(value, dict):
        raise ServiceError(400, "Invalid JSON payload received. Root element must be a message.")
    return value


def _query_value(found: list[str]) -> Any:
    plain = [{"true": True, "false": False}.get(text, text) for text in found]
    return plain[0] if len(plain) == 1 else plain


def _put(values: dict[str, Any], name: str, value: Any) -> None:
    *parents, last = name.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
    values[last] = value


def _refuse_unknown_enums(message: Message) -> None:
    """Numbers that no enum has are kept by protobuf; the service refuses them."""
    for field, value in message.ListFields():
        if field.type == field.TYPE_ENUM:
            for number in value if field.is_repeated else [value]:
                if number not in field.enum_type.values_by_number:
                    raise ServiceError(400, f"Invalid value at '{field.full_name}': {number}")
        elif field.type == field.TYPE_MESSAGE and not field.message_type.GetOptions().map_entry:
            for inner in value if field.is_repeated else [value]:
                _refuse_unknown_enums(inner)
