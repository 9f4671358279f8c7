"""The pixel cache: tiles of one size in manifest order, memory-mapped. Decoded once, read every epoch.

numpy is imported where tiles are read or written: which sizes are there is told without it.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, ValidationError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from isocenter.datasets.ledger import TilePlace

FOLDER = "pixels"


def cache_path(dataset: Path, size: int) -> Path:
    """Where the tiles [images, size, size] of a dataset directory are."""
    return dataset / FOLDER / f"{size}.npy"


class CacheRecord(BaseModel):
    """What lies beside a cache file.

    Args:
        sha256: of the file.
        reader: names the version of the code that read and prepared the pixels.
    """

    model_config = ConfigDict(frozen=True)

    sha256: str
    reader: str


def record_path(cache: Path) -> Path:
    """Where the ``CacheRecord`` of a cache file is."""
    return cache.with_suffix(".json")


def read_cache_record(cache: Path) -> CacheRecord | None:
    """The record beside a cache file; None when there is none that can be read."""
    try:
        return CacheRecord.model_validate_json(record_path(cache).read_bytes())
    except (FileNotFoundError, ValidationError):
        return None


def cached_sizes(dataset: Path) -> list[int]:
    """Tile sizes that a dataset directory holds, ascending."""
    return sorted(int(path.stem) for path in (dataset / FOLDER).glob("*.npy") if path.stem.isdigit())


def write_cache(path: Path, places: "Sequence[TilePlace]", size: int, reader: str) -> None:
    """Write the tiles at ``places``, in their order, and the record beside them; one tile at a time.

    Written and not mapped: on a full disk a mapping ends the process, a write raises OSError.
    """
    import numpy as np

    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w+b") as stream:
        header = {"descr": "<u2", "fortran_order": False, "shape": (len(places), size, size)}
        np.lib.format.write_array_header_1_0(stream, header)
        stream.flush()
        _write_tiles(stream.fileno(), stream.tell(), places, 2 * size * size)
        os.fsync(stream.fileno())
    record = CacheRecord(sha256=_file_digest(path), reader=reader)
    record_path(path).write_text(record.model_dump_json())


def _write_tiles(descriptor: int, start: int, places: "Sequence[TilePlace]", tile_bytes: int) -> None:
    """Source file by source file: each is opened once."""
    from isocenter.datasets.chunk import open_tiles

    by_path: dict[Path, list[tuple[int, int]]] = {}
    for position, place in enumerate(places):
        by_path.setdefault(place.path, []).append((place.row, position))
    for path, pairs in by_path.items():
        tiles = open_tiles(path)
        for row, position in sorted(pairs):
            _write_whole(descriptor, tiles[row].tobytes(), start + position * tile_bytes)


def _write_whole(descriptor: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written


def is_whole(path: Path) -> bool:
    """Whether the cache file at ``path`` still has the digest that was kept when it was written.

    Reads all of the file; False where it or its record is missing or can't be read.
    """
    record = read_cache_record(path)
    try:
        return record is not None and record.sha256 == _file_digest(path)
    except OSError:
        return False


def _file_digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def open_cache(path: Path) -> "NDArray[np.uint16]":
    """The tiles at ``path``, uint16 [images, size, size], memory-mapped for reading."""
    from isocenter.datasets.chunk import open_tiles

    return open_tiles(path)
