"""What an audit record's details may hold: small JSON facts, never a document, a picture or a blob."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from isocenter.domain.digest import canonical_json
from isocenter.errors import InputError

LONGEST_TEXT = 2_000
LARGEST_DETAILS = 16_384
_DEEPEST = 6
_SAFE_INTEGER = 2**53 - 1


def check_details(details: Mapping[str, Any]) -> bytes:
    """The canonical JSON of ``details``.

    Raises:
        InputError: not plain JSON, nested over 6 levels, a text over 2,000 characters, or over 16 KiB in all.
            The message names the place and never quotes the value.
    """
    for problem in _problems(details, "details", 0):
        raise InputError(f"An audit record can't hold this: {problem}.")
    body = canonical_json(_plain(details))
    if len(body) > LARGEST_DETAILS:
        raise InputError(f"An audit record's details hold {len(body)} bytes, over {LARGEST_DETAILS}.")
    return body


def _problems(value: Any, place: str, depth: int) -> Iterator[str]:
    if depth > _DEEPEST:
        yield f"{place} is nested over {_DEEPEST} levels deep"
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str) or len(key) > LONGEST_TEXT:
                yield f"{place} has a key that is no short text"
            else:
                yield from _problems(item, f"{place}.{key[:40]}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _problems(item, f"{place}[{index}]", depth + 1)
    else:
        yield from _scalar_problems(value, place)


def _scalar_problems(value: Any, place: str) -> Iterator[str]:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            yield f"{place} has {len(value)} characters, over {LONGEST_TEXT}"
        elif any("\ud800" <= character <= "\udfff" for character in value):
            yield f"{place} is no valid Unicode"
    elif isinstance(value, float):
        if not math.isfinite(value):
            yield f"{place} is not a finite number"
    elif isinstance(value, int):
        if abs(value) > _SAFE_INTEGER:
            yield f"{place} is too large a number for JSON"
    elif value is not None:
        yield f"{place} is a {type(value).__name__}"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, str) else value
