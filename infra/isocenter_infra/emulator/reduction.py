"""Take out of a Terraform document what an emulator can't hold."""

import copy
import re
from collections.abc import Iterator, Mapping
from typing import Any

_REFERENCE = re.compile(r"\$\{(?:[a-z0-9]+\()?((?:data\.)?[a-z0-9_]+\.[A-Za-z0-9_-]+)")


def reduce_document(
    document: Mapping[str, Any],
    resources: Mapping[str, str],
    arguments: Mapping[tuple[str, str], str],
    providers: Mapping[str, str],
) -> tuple[dict[str, Any], dict[str, str]]:
    """A copy of ``document`` without what the tables name.

    Args:
        document: Terraform's JSON.
        resources: types to leave out (a data source as ``data.<type>``), with the reason.
        arguments: (type, dotted path with ``*``) to leave out, with the reason.
        providers: provider names to leave out, with the reason.

    Returns:
        The document, and what was left out of it: type or ``type: argument``, with the reason.
    """
    reduced = copy.deepcopy(dict(document))
    left_out: dict[str, str] = {}
    gone: set[str] = set()
    for kind, reason in resources.items():
        section, name = ("data", kind[5:]) if kind.startswith("data.") else ("resource", kind)
        removed = reduced.get(section, {}).pop(name, {})
        if removed:
            left_out[kind] = reason
        gone.update(f"{kind}.{each}" for each in removed)
    for (kind, path), reason in arguments.items():
        for body in reduced.get("resource", {}).get(kind, {}).values():
            if _remove(body, path.split(".")):
                left_out[f"{kind}: {path}"] = reason
    reduced = without_dependencies(reduced, gone)
    for name in providers:
        reduced.get("provider", {}).pop(name, None)
        reduced["terraform"].get("required_providers", {}).pop(name, None)
    reduced["output"] = {
        name: body | {"value": _without_references(body["value"], gone)}
        for name, body in reduced.get("output", {}).items()
    }
    return {key: value for key, value in reduced.items() if value}, left_out


def without_dependencies(document: Mapping[str, Any], gone: set[str]) -> dict[str, Any]:
    """A copy of ``document`` in which nothing waits for the addresses in ``gone``."""
    copied = copy.deepcopy(dict(document))
    for body in _bodies(copied):
        if "depends_on" in body:
            body["depends_on"] = [name for name in body["depends_on"] if name not in gone]
    return copied


def _bodies(document: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for section in ("resource", "data"):
        for named in document.get(section, {}).values():
            yield from named.values()


def _remove(value: Any, path: list[str]) -> bool:
    head, *rest = path
    if head == "*":
        removed = [_remove(item, rest) for item in value] if isinstance(value, list) else []
        return any(removed)
    if not isinstance(value, dict) or head not in value:
        return False
    if not rest:
        del value[head]
        return True
    return _remove(value[head], rest)


def _without_references(value: Any, gone: set[str]) -> Any:
    """``value`` with an empty text where it refers to what was left out."""
    if isinstance(value, Mapping):
        return {key: _without_references(item, gone) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_references(item, gone) for item in value]
    if isinstance(value, str) and any(name in gone for name in _REFERENCE.findall(value)):
        return ""
    return value
