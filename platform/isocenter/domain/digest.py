"""SHA-256 digests of JSON values, files and file sets, written ``sha256:<64 hex digits>``."""

import hashlib
from pathlib import Path
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """Canonical JSON of ``value`` (RFC 8785): equal values give equal bytes."""
    return rfc8785.dumps(value)


def digest_json(value: Any) -> str:
    """Digest of the canonical JSON of ``value``."""
    return digest_bytes(canonical_json(value))


def digest_bytes(data: bytes) -> str:
    """Digest of ``data``."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def digest_file(path: Path) -> str:
    """Digest of the content of the file at ``path``."""
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def digest_tree(root: Path) -> str:
    """Digest of the file set under ``root``: relative paths, sizes and contents, in sorted order.

    Symbolic links are not followed and not allowed.

    Raises:
        ValueError: a symbolic link lies under ``root``.
    """
    return digest_json(list_tree(root))


def list_tree(root: Path) -> list[list[Any]]:
    """``[relative POSIX path, size in bytes, digest]`` of each file under ``root``, sorted by path.

    Raises:
        ValueError: a symbolic link lies under ``root``.
    """
    rows: list[list[Any]] = []
    for path in sorted(root.rglob("*"), key=lambda p: p.relative_to(root).as_posix()):
        if path.is_symlink():
            raise ValueError(f"symbolic link in a file set: {path.relative_to(root).as_posix()}")
        if path.is_file():
            rows.append([path.relative_to(root).as_posix(), path.stat().st_size, digest_file(path)])
    return rows
