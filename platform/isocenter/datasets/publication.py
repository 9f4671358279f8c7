"""Publishing a dataset directory: whole or not at all, and never changed but by another size of pixels."""

import io
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter import __version__
from isocenter.datasets import manifest
from isocenter.datasets.ledger import TilePlace
from isocenter.datasets.pixel_cache import cache_path, is_whole, read_cache_record, record_path, write_cache
from isocenter.datasets.reader import RECORD_NAME, Dataset, DatasetRecord, dataset_path, open_dataset
from isocenter.domain.dataset import DatasetVersion
from isocenter.errors import IntegrityError
from isocenter.home import Home
from isocenter.storage.atomic import fsync_directory, fsync_tree, write_bytes

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Content:
    """What a dataset directory is to hold.

    Args:
        version: digest, classes and counts of the manifest.
        table: the manifest.
        places: where the tile of each row is.
        image_size: rows and columns of a tile.
        reader: names the version of the code that read the pixels.
    """

    version: DatasetVersion
    table: "pa.Table"
    places: Sequence[TilePlace]
    image_size: int
    reader: str


def is_published(home: Home, digest: str, image_size: int, reader: str) -> bool:
    """Whether the dataset is there with tiles of this size, made by this version of the reader."""
    path = dataset_path(home, digest)
    record = read_cache_record(cache_path(path, image_size))
    there = (path / RECORD_NAME).exists() and cache_path(path, image_size).exists()
    return there and record is not None and record.reader == reader


def publish(home: Home, staging: Path, content: Content) -> Dataset:
    """Write the dataset directory of ``content``, or add its pixels when the directory is there.

    Args:
        home: the store.
        staging: a folder on the same disk that is this ingest's own; what a killed one left there is dropped.
        content: what to write.

    Raises:
        IntegrityError: a directory of this digest is there and holds something else.
        OSError: e.g. the disk is full; nothing half-written is left.
    """
    digest = content.version.digest
    path = dataset_path(home, digest)
    home.datasets.mkdir(parents=True, exist_ok=True)
    with _empty_folder(staging):
        if not (path / RECORD_NAME).exists():
            _write_directory(staging, content)
            _move(staging, path)
        # Not published yet: the directory was there before, or another ingest with another size was first.
        if not is_published(home, digest, content.image_size, content.reader):
            _add_pixels(open_dataset(path), staging, content)
    return open_dataset(path)


def _write_directory(folder: Path, content: Content) -> None:
    import pyarrow.parquet as parquet

    buffer = io.BytesIO()
    parquet.write_table(content.table, buffer)
    write_bytes(folder / manifest.FILE_NAME, buffer.getvalue())
    write_cache(cache_path(folder, content.image_size), content.places, content.image_size, content.reader)
    record = DatasetRecord(
        digest=content.version.digest,
        classes=(content.version.classes[0], content.version.classes[1]),
        images=content.version.images,
        patients=content.version.patients,
        created_at=datetime.now(UTC).replace(microsecond=0),
        created_by=f"isocenter {__version__}",
    )
    write_bytes(folder / RECORD_NAME, record.model_dump_json(indent=2).encode())


def _move(folder: Path, path: Path) -> None:
    fsync_tree(folder)
    try:
        folder.rename(path)
    except OSError:
        if not (path / RECORD_NAME).exists():
            raise
    fsync_directory(path.parent)


def _add_pixels(dataset: Dataset, staging: Path, content: Content) -> None:
    if dataset.version != content.version:
        raise IntegrityError("The store has another dataset under this digest.")
    source, target = (cache_path(folder, content.image_size) for folder in (staging, dataset.path))
    write_cache(source, content.places, content.image_size, content.reader)
    fsync_tree(source.parent)
    target.parent.mkdir(exist_ok=True)
    # The tiles first: a record without them, or of earlier ones, only means that they are written again.
    source.replace(target)
    record_path(source).replace(record_path(target))
    fsync_directory(target.parent)


def place(folder: Path, dataset: Path, *names: str) -> None:
    """Move files of ``folder``, on the same disk, into a dataset directory; what has their names goes.

    They are written elsewhere first so that a kill leaves no temporary file in a dataset.
    """
    for name in names:
        (folder / name).replace(dataset / name)
    fsync_directory(dataset)


@contextmanager
def _empty_folder(path: Path) -> Iterator[None]:
    """An empty folder at ``path``; whatever is there after the block goes."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(path, ignore_errors=True)


def places_of_published(
    home: Home, digests: Sequence[str], wanted: set[str], image_size: int, reader: str
) -> Mapping[str, TilePlace]:
    """Where earlier datasets hold tiles of the ``wanted`` pixel digests.

    Args:
        home: the store.
        digests: of datasets, in the order to search.
        wanted: pixel digests; those that no dataset holds are absent from the answer.
        image_size: rows and columns of a tile.
        reader: tiles of another version of the reader don't count.
    """
    found: dict[str, TilePlace] = {}
    for digest in digests:
        if len(found) == len(wanted):
            break
        cache = cache_path(dataset_path(home, digest), image_size)
        # Damaged tiles must not get into a new dataset under a digest of their own: those are read again.
        if not is_published(home, digest, image_size, reader) or not is_whole(cache):
            continue
        dataset = open_dataset(dataset_path(home, digest))
        for row, image in enumerate(dataset.table.column("pixel_digest").to_pylist()):
            if image in wanted:
                found.setdefault(image, TilePlace(cache, row))
    return found
