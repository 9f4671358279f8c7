"""Going through a request: all that stands in it, with its dotted place."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


def parts(value: Any, place: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each mapping in ``value`` and its place."""
    if isinstance(value, Mapping):
        yield place, value
    for inner_place, inner in _inner(value, place):
        yield from parts(inner, inner_place)


def texts(value: Any, place: str = "") -> Iterator[tuple[str, str]]:
    """Each text in ``value`` and its place."""
    if isinstance(value, str):
        yield place, value
    for inner_place, inner in _inner(value, place):
        yield from texts(inner, inner_place)


def _inner(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    named: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        named = value.items()
    elif isinstance(value, list | tuple):
        named = enumerate(value)
    for name, inner in named:
        yield f"{place}.{name}".lstrip("."), inner
