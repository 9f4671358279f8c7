"""Opening a dataset directory: what training and evaluation use. Needs numpy, pyarrow and pydantic only.

numpy and pyarrow are imported with the first array: that a dataset is there is told without them.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from isocenter.datasets import manifest
from isocenter.domain.dataset import DatasetVersion, Split
from isocenter.errors import InputError, IntegrityError, NotFoundError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from isocenter.home import Home

RECORD_NAME = "dataset.json"


class DatasetRecord(BaseModel):
    """The content of ``dataset.json``; never changed once it is written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    digest: str
    classes: tuple[str, str]
    images: int
    patients: int
    created_at: datetime
    created_by: str


@dataclass(frozen=True)
class Dataset:
    """One DatasetVersion on disk.

    Args:
        path: its directory.
        record: the content of its ``dataset.json``.
    """

    path: Path
    record: DatasetRecord

    @property
    def version(self) -> DatasetVersion:
        """Digest, classes and counts."""
        record = self.record
        return DatasetVersion(record.digest, record.classes, record.images, record.patients)

    @cached_property
    def table(self) -> "pa.Table":
        """The manifest, one row an image, sorted by pixel digest (columns: ``manifest.schema``).

        Raises:
            IntegrityError: it can't be read or has other rows than ``dataset.json`` says.
        """
        import pyarrow as pa
        import pyarrow.parquet as parquet

        try:
            table = parquet.read_table(self.path / manifest.FILE_NAME, schema=manifest.schema())
        except (OSError, pa.ArrowException) as error:
            raise IntegrityError("The dataset's manifest can't be read.") from error
        if table.num_rows != self.record.images:
            raise IntegrityError("The dataset's manifest has other rows than its dataset.json says.")
        return table

    @property
    def sizes(self) -> list[int]:
        """Tile sizes that are cached."""
        from isocenter.datasets.pixel_cache import cached_sizes

        return cached_sizes(self.path)

    def pixels(self, size: int) -> "NDArray[np.uint16]":
        """Tiles uint16 [images, size, size], memory-mapped; row i belongs to row i of the table.

        Raises:
            NotFoundError: tiles of this size are not cached.
            IntegrityError: the cache doesn't fit the manifest.
        """
        import numpy as np

        from isocenter.datasets.pixel_cache import cache_path, open_cache

        path = cache_path(self.path, size)
        if not path.exists():
            there = ", ".join(map(str, self.sizes)) or "none"
            raise NotFoundError(
                f"This dataset has no pixels of size {size}; it has: {there}.",
                hint=f"Ingest the same source again with --size {size}.",
            )
        try:
            tiles = open_cache(path)
        except (OSError, ValueError) as error:
            raise IntegrityError(f"The dataset's pixels of size {size} can't be read.") from error
        if tiles.shape != (self.record.images, size, size) or tiles.dtype != np.uint16:
            raise IntegrityError(f"The dataset's pixels of size {size} don't fit its manifest.")
        return tiles

    def rows(self, split: Split | str) -> "NDArray[np.int64]":
        """Row numbers of a split, ascending."""
        import numpy as np

        return np.flatnonzero(self.column("split") == str(split)).astype(np.int64)

    def column(self, name: str) -> "NDArray[Any]":
        """A column as an array; unknown text is empty.

        Columns that may lack a number (``manifest.NULLABLE_COLUMNS``) are float64, NaN where it is unknown.
        """
        import numpy as np

        values = np.asarray(self.table.column(name).to_numpy())
        return values.astype(np.float64) if name in manifest.NULLABLE_COLUMNS else values

    def verify(self, size: int | None = None) -> None:
        """Compare the manifest and the cached pixels with the digests that they were written under.

        Args:
            size: only these pixels are read; None: all that are cached.

        Raises:
            IntegrityError: something changed since.
        """
        from isocenter.datasets.pixel_cache import cache_path, is_whole

        if manifest.content_digest(self.table, self.record.classes) != self.record.digest:
            raise IntegrityError(
                f"The manifest of dataset {self.record.digest} is not the one that it names."
            )
        for cached in self.sizes if size is None else [size]:
            path = cache_path(self.path, cached)
            if not is_whole(path):
                raise IntegrityError(
                    f"The pixels of size {cached} of dataset {self.record.digest} changed after they were"
                    " written.",
                    hint=f"Remove {path}; the same command then reads them from the source again.",
                )


def dataset_path(home: "Home", digest: str) -> Path:
    """The directory of the dataset with this digest (``sha256:...``)."""
    return home.datasets / digest.removeprefix("sha256:")


def open_dataset(path: Path) -> Dataset:
    """Open the dataset directory at ``path``; the manifest and pixels are read when first used.

    Raises:
        NotFoundError: there is no dataset.
        InputError: it is of a later version of Isocenter, or no dataset.
    """
    try:
        record = DatasetRecord.model_validate_json((path / RECORD_NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError("There is no dataset in this directory: it has no dataset.json.") from error
    except ValidationError as error:
        raise InputError(
            "The dataset's dataset.json can't be understood.",
            hint="Was it written by a later version of Isocenter?",
        ) from error
    return Dataset(path, record)
