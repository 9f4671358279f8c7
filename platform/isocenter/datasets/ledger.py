"""What an ingest of one source remembers: a record for each file that was read, and where tiles are.

``HOME/ingests/<source>/`` holds ``ledger.parquet`` (records up to the last publication), ``published.json``
(datasets that were made of this source) and ``chunks/`` (what was read since). A record is found again by the
pseudonyms of a file's path and of its size and time of last change.
"""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from isocenter.datasets.chunk import Chunk, finish_chunk, read_chunks, remove_leftovers
from isocenter.datasets.record import SourceRecord, records_table, table_records
from isocenter.storage.atomic import write_bytes

_MOST_PUBLICATIONS = 8


@dataclass(frozen=True)
class TilePlace:
    """Row ``row`` of the array in the file ``path``."""

    path: Path
    row: int


@dataclass
class Ledger:
    """The ledger of one source for one tile size. Only the holder of the source's lock may write it.

    Args:
        folder: ``HOME/ingests/<source>``.
        reader: names the version of the code that reads pixels; records of another are not used.
        image_size: rows and columns of a tile.
        records: by source key.
        tiles: places of tiles in chunks, by pixel digest.
        published: digests of datasets made of this source, the newest first.
    """

    folder: Path
    reader: str
    image_size: int
    records: dict[str, SourceRecord] = field(default_factory=dict)
    tiles: dict[str, TilePlace] = field(default_factory=dict)
    published: tuple[str, ...] = ()

    @property
    def chunks(self) -> Path:
        """Where new chunks go: apart by what their tiles depend on."""
        return self.folder / "chunks" / f"{self.image_size}-{self.reader[:16]}"

    def add(self, chunk: Chunk) -> None:
        """Keep a chunk that was just read."""
        finish_chunk(chunk)
        self._take(chunk)

    def settle(self, records: Iterable[SourceRecord], dataset_digest: str) -> None:
        """After publication: keep ``records`` in one file, forget the chunks."""
        self.records = {record.source_key: record for record in records}
        table = records_table(self.records.values()).replace_schema_metadata({"reader": self.reader})
        _write_table(self.folder / "ledger.parquet", table)
        others = tuple(digest for digest in self.published if digest != dataset_digest)
        self.published = (dataset_digest, *others)[:_MOST_PUBLICATIONS]
        write_bytes(self.folder / "published.json", json.dumps(self.published).encode())
        self.drop_chunks()

    def drop_chunks(self) -> None:
        """Forget what was read since the last publication, and what another version of the reader left."""
        import shutil

        for folder in self.chunks.parent.iterdir():
            if folder == self.chunks or not folder.name.endswith(self.chunks.name.split("-")[1]):
                shutil.rmtree(folder, ignore_errors=True)
        self.tiles = {}

    def remove_half_written(self) -> None:
        """Remove what a failed ingest left behind."""
        for path in self.folder.glob(".tmp-*"):
            path.unlink(missing_ok=True)
        remove_leftovers(self.chunks)

    def _take(self, chunk: Chunk) -> None:
        row = 0
        for record in chunk.records:
            self.records[record.source_key] = record
            if record.was_read:
                self.tiles[record.pixel_digest] = TilePlace(chunk.tiles, row)
                row += 1


def open_ledger(folder: Path, reader: str, image_size: int) -> Ledger:
    """The ledger in ``folder`` (made if absent), with the records that still hold for ``reader``."""
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder, reader, image_size)
    ledger.chunks.mkdir(parents=True, exist_ok=True)
    ledger.remove_half_written()
    ledger.records = _settled_records(folder / "ledger.parquet", reader)
    path = folder / "published.json"
    ledger.published = tuple(json.loads(path.read_bytes())) if path.exists() else ()
    for chunk in read_chunks(ledger.chunks):
        ledger._take(chunk)
    return ledger


def _settled_records(path: Path, reader: str) -> dict[str, SourceRecord]:
    import pyarrow.parquet as parquet

    if not path.exists():
        return {}
    table = parquet.read_table(path)
    metadata: Mapping[bytes, bytes] = table.schema.metadata or {}
    if metadata.get(b"reader") != reader.encode():
        return {}
    return {record.source_key: record for record in table_records(table)}


def _write_table(path: Path, table: object) -> None:
    import pyarrow.parquet as parquet

    buffer = io.BytesIO()
    parquet.write_table(table, buffer)
    write_bytes(path, buffer.getvalue())
