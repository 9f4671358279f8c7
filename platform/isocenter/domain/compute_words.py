"""Compute as people write it: ``a100-80 x 8``, ``6h``."""

import difflib
import re

from isocenter.clouds.offer import GPU_SIZES
from isocenter.errors import InputError

_GPU = re.compile(r"^\s*([a-z0-9-]+?)\s*(?:[x×:*]\s*(\d+))?\s*$", re.I)
_TIME = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")
_SECONDS = (86400, 3600, 60, 1)


def parse_gpu(text: str) -> tuple[str, int]:
    """``l4``, ``l4 x 1`` or ``a100-80×8``: size and how many on a machine.

    Raises:
        InputError: no such size; the hint names the nearest and all.
    """
    match = _GPU.match(text)
    size = match[1].lower() if match else ""
    if match is None or size not in GPU_SIZES:
        near = difflib.get_close_matches(size or text.lower(), GPU_SIZES, n=2, cutoff=0.3)
        hint = f"Sizes: {', '.join(GPU_SIZES)}; with a count: a100-80x8."
        raise InputError(
            f"{text!r} names no GPU size.", hint=f"Nearest: {', '.join(near)}. {hint}" if near else hint
        )
    count = int(match[2] or 1)
    if count < 1:
        raise InputError(f"{text!r}: at least one GPU, or none named at all.")
    return size, count


def parse_duration(text: str) -> int:
    """``6h``, ``90m``, ``1d12h`` or ``3600s`` in seconds.

    Raises:
        InputError: it is no duration, or none at all.
    """
    match = _TIME.match(text.strip().lower())
    parts = match.groups() if match else ()
    seconds = sum(int(number or 0) * unit for number, unit in zip(parts, _SECONDS, strict=False))
    if not seconds:
        raise InputError(f"{text!r} is no duration.", hint="E.g. 6h, 90m or 1d12h.")
    return seconds


def format_duration(seconds: int) -> str:
    """The inverse of :func:`parse_duration`: ``6h``, ``1d12h``."""
    words = ""
    for unit, size in zip("dhms", _SECONDS, strict=True):
        number, seconds = divmod(seconds, size)
        words += f"{number}{unit}" if number else ""
    return words or "0s"
