"""Chunks: the tiles of a few files each, written whole or not at all. What a killed ingest keeps.

A worker writes ``<name>.npy``; the parent then writes ``<name>.parquet`` with the records, which makes the
chunk count. A ``.npy`` without records is left over from a kill.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from isocenter.datasets.record import SourceRecord, records_table, table_records
from isocenter.storage.atomic import write_bytes

_TILES = ".npy"
_RECORDS = ".parquet"


@dataclass(frozen=True)
class Chunk:
    """A finished chunk.

    Args:
        tiles: path of the tiles, uint16 [images, size, size]: row i belongs to the i-th record with an image.
        records: in the order they were read.
    """

    tiles: Path
    records: tuple[SourceRecord, ...]


def write_tiles(path: Path, tiles: Sequence[NDArray[np.uint16]], size: int) -> None:
    """Write ``tiles`` to ``path`` in one step."""
    stacked = np.stack(tiles) if tiles else np.zeros((0, size, size), np.uint16)
    buffer = io.BytesIO()
    np.save(buffer, stacked, allow_pickle=False)
    write_bytes(path, buffer.getvalue())


def new_tiles_path(folder: Path) -> Path:
    """A path in ``folder`` for the tiles of a new chunk."""
    import secrets

    return folder / f"{secrets.token_hex(8)}{_TILES}"


def finish_chunk(chunk: Chunk) -> None:
    """Write the records of ``chunk``; from now on it counts."""
    import pyarrow.parquet as parquet

    buffer = io.BytesIO()
    parquet.write_table(records_table(chunk.records), buffer)
    write_bytes(chunk.tiles.with_suffix(_RECORDS), buffer.getvalue())


def read_chunks(folder: Path) -> Iterator[Chunk]:
    """The finished chunks in ``folder``; what is half-written is removed."""
    import pyarrow.parquet as parquet

    remove_leftovers(folder)
    for path in sorted(folder.glob(f"*{_RECORDS}")):
        yield Chunk(path.with_suffix(_TILES), tuple(table_records(parquet.read_table(path))))


def open_tiles(path: Path) -> NDArray[np.uint16]:
    """The tiles at ``path``, memory-mapped (whole in memory when there are none: an empty file can't be)."""
    tiles: NDArray[np.uint16] = np.load(path, mmap_mode="r", allow_pickle=False)
    return tiles


def remove_leftovers(folder: Path) -> None:
    """Remove tiles without records and temporary files: what a kill or a full disk left in ``folder``."""
    for path in folder.glob(f"*{_TILES}"):
        if not path.with_suffix(_RECORDS).exists():
            path.unlink(missing_ok=True)
    for path in folder.glob(".tmp-*"):
        path.unlink(missing_ok=True)
