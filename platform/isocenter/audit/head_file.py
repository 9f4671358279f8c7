"""Signed heads as JSON lines, in ``HOME/audit/heads.jsonl`` or in an export kept elsewhere."""

import errno
import json
import os
from pathlib import Path

from isocenter.audit.signed_head import SignedHead, head_from_json
from isocenter.errors import InputError

_TAIL = 65_536


def append_head(path: Path, head: SignedHead) -> None:
    """Add ``head`` to the file in one write, so that lines of several processes never mix."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        line = head.line()
        if os.write(descriptor, line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def ends_with_head(path: Path, head: SignedHead) -> bool:
    """Whether ``head`` is among the newest lines of the file."""
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, path.stat().st_size - _TAIL))
            return head.line() in stream.read()
    except FileNotFoundError:
        return False


def read_heads(path: Path) -> tuple[list[SignedHead], int]:
    """The heads in a file, smallest tree first, and the number of lines that are no head.

    Raises:
        InputError: the file can't be read.
    """
    heads, unreadable = [], 0
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise InputError(f"The signed heads in {path} can't be read: {error.strerror}.") from error
    for line in lines:
        try:
            heads.append(head_from_json(json.loads(line)))
        except ValueError:
            unreadable += 1
    return sorted(heads, key=lambda head: head.tree_size), unreadable
