"""Compute as people write it: ``a100-80 x 8``, ``6h``."""

import difflib
import re

from isocenter.clouds.offer import GPU_SIZES
from isocenter.errors import InputError

_GPU = re.compile(r"^\s*([a-z0-9-]+?)\s*(?:[x×:*]\s*(\d+))?\s*$", re.I)
_TIME = re.compile(r"^(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$")
_SECONDS = (86400, 3600, 60, 1)
SHORTEST_RUNTIME_S = 60
"""A job that is stopped sooner has not even begun: its machine and image come first."""
LONGEST_RUNTIME_S = 7 * 24 * 3600
"""What the rule ISO_JOB_007 allows, and Vertex AI at all; SageMaker's own limit is 28 days."""


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
        InputError: it is no duration.
    """
    match = _TIME.match(text.strip().lower())
    parts = match.groups() if match else ()
    seconds = sum(int(number or 0) * unit for number, unit in zip(parts, _SECONDS, strict=False))
    if match is None or not any(parts):
        raise InputError(f"{text!r} is no duration.", hint="E.g. 6h, 90m or 1d12h.")
    return seconds


def parse_max_runtime(text: str) -> int:
    """The seconds after which a job is stopped; see :func:`parse_duration`.

    Raises:
        InputError: it is no duration, or one that no service or no job could do with.
    """
    seconds = parse_duration(text)
    if seconds < SHORTEST_RUNTIME_S:
        raise InputError(
            f"--max-runtime {text}: a job can't do anything in {seconds} s.",
            hint="At least 1m; on a target, a day where nothing is said.",
        )
    if seconds > LONGEST_RUNTIME_S:
        raise InputError(
            f"--max-runtime {text}: a job may run for a week at most (the rule ISO_JOB_007).",
            hint="At most 7d. A longer training goes on from its checkpoint by the same command.",
        )
    return seconds


def format_duration(seconds: int) -> str:
    """The inverse of :func:`parse_duration`: ``6h``, ``1d12h``."""
    words = ""
    for unit, size in zip("dhms", _SECONDS, strict=True):
        number, seconds = divmod(seconds, size)
        words += f"{number}{unit}" if number else ""
    return words or "0s"
