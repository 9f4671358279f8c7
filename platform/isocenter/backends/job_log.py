"""Reading a job's log file: line by line, while it grows, and the reason at its end."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_TAIL_BYTES = 16_384
_REASON_CHARACTERS = 1_500
_SHORTEST_WAIT_S = 0.005
_LONGEST_WAIT_S = 0.25


def read_lines(path: Path) -> Iterator[str]:
    """The lines that are in the file now."""
    return _lines(path, lambda: True)


def follow_lines(path: Path, has_ended: Callable[[], bool]) -> Iterator[str]:
    """The file's lines as they come, until ``has_ended`` is true and everything has been read."""
    return _lines(path, has_ended)


def _lines(path: Path, has_ended: Callable[[], bool]) -> Iterator[str]:
    if not path.is_file():
        return
    wait = _SHORTEST_WAIT_S
    with path.open("rb") as stream:
        rest = b""
        while True:
            ended = has_ended()
            data = stream.read()
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode("utf-8", errors="replace") for line in lines)
            if ended:
                break
            wait = _SHORTEST_WAIT_S if data else min(wait * 1.5, _LONGEST_WAIT_S)
            time.sleep(wait)
        if rest:
            yield rest.decode("utf-8", errors="replace")


def failure_reason(path: Path) -> str:
    """The last paragraph of the log that is text and no structured event; empty if there is none.

    At most 1,500 characters, the last ones.
    """
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return reason_in(stream.read().decode("utf-8", errors="replace"))


def reason_in(text: str) -> str:
    """The last paragraph of ``text``, by the rules of :func:`failure_reason`."""
    paragraph: list[str] = []
    for line in reversed(text.splitlines()):
        if line.strip() and not _is_event(line):
            paragraph.append(line.rstrip())
        elif paragraph and not line.strip():
            break
    return "\n".join(reversed(paragraph))[-_REASON_CHARACTERS:]


def _is_event(line: str) -> bool:
    if not line.startswith("{"):
        return False
    try:
        value = json.loads(line)
    except ValueError:
        return False
    return isinstance(value, dict) and "event" in value
