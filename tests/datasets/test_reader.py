import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_files import write_class_folders

from isocenter.datasets import Dataset, IngestResult, open_dataset
from isocenter.datasets.catalogue import find_dataset, list_datasets
from isocenter.errors import InputError, IntegrityError, NotFoundError
from isocenter.home import Home


@pytest.fixture
def dataset(tmp_path: Path, take_in: Callable[..., IngestResult]) -> Dataset:
    return open_dataset(take_in(write_class_folders(tmp_path / "source", per_class=3)).path)


def test_pixels_are_mapped_and_read_only(dataset: Dataset) -> None:
    tiles = dataset.pixels(16)
    assert isinstance(tiles, np.memmap)
    assert (tiles.shape, tiles.dtype, tiles.flags.writeable) == ((6, 16, 16), np.uint16, False)


def test_columns_are_arrays(dataset: Dataset) -> None:
    assert dataset.column("label").dtype == np.int8
    assert dataset.column("age_years").tolist() == [57.0] * 6
    assert np.isnan(dataset.column("kvp")).all()
    assert set(dataset.column("split")) <= {"train", "validation", "test"}


def test_a_size_that_is_not_cached(dataset: Dataset) -> None:
    with pytest.raises(NotFoundError, match="no pixels of size 64; it has: 16") as caught:
        dataset.pixels(64)
    assert "--size 64" in caught.value.hint


@pytest.mark.parametrize("victim", ["pixels/16.npy", "manifest.parquet"])
def test_verify_finds_one_changed_byte(dataset: Dataset, victim: str) -> None:
    dataset.verify()
    path = dataset.path / victim
    data = bytearray(path.read_bytes())
    middle = data.index(b"train") if victim.endswith("parquet") else len(data) // 2
    data[middle] ^= 1
    path.write_bytes(data)
    with pytest.raises(IntegrityError):
        open_dataset(dataset.path).verify()


def test_a_manifest_with_a_row_less_is_refused(dataset: Dataset) -> None:
    import pyarrow.parquet as parquet

    parquet.write_table(dataset.table.slice(1), dataset.path / "manifest.parquet")
    with pytest.raises(IntegrityError, match="other rows"):
        _ = open_dataset(dataset.path).table


def test_truncated_pixels_are_refused(dataset: Dataset) -> None:
    path = dataset.path / "pixels" / "16.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(IntegrityError):
        dataset.pixels(16)


def test_what_is_no_dataset(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(NotFoundError):
        open_dataset(tmp_path)
    record = json.loads((dataset.path / "dataset.json").read_text())
    (dataset.path / "dataset.json").write_text(json.dumps(record | {"schema_version": 2}))
    with pytest.raises(InputError, match="can't be understood"):
        open_dataset(dataset.path)


def test_pickled_objects_are_never_loaded(dataset: Dataset) -> None:
    np.save(dataset.path / "pixels" / "16.npy", np.array([{}] * 6, dtype=object), allow_pickle=True)
    with pytest.raises(IntegrityError):
        dataset.pixels(16)


def test_opening_loads_no_decoder_and_no_framework(dataset: Dataset) -> None:
    """The training container opens datasets; it needs none of what ingest needs."""
    code = (
        "import sys; from pathlib import Path; from isocenter.datasets import open_dataset;"
        f"d = open_dataset(Path({str(dataset.path)!r})); d.table; d.pixels(16);"
        "heavy = {'pydicom', 'torch', 'sqlalchemy', 'pandas', 'rich', 'jinja2', 'imagecodecs'};"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_find_by_digest_latest_and_path(
    dataset: Dataset, home: Home, tmp_path: Path, take_in: Callable[..., IngestResult]
) -> None:
    newer = take_in(write_class_folders(tmp_path / "another", per_class=2))
    digest = dataset.record.digest
    for reference in (digest, digest[7:15], digest[:20], str(dataset.path)):
        assert find_dataset(home, reference).path == dataset.path
    assert find_dataset(home, "latest").path == newer.path
    assert [listing.dataset.path for listing in list_datasets(home)] == [newer.path, dataset.path]
    # Ingesting the older source again makes it the latest.
    take_in(tmp_path / "source")
    assert find_dataset(home, "latest").path == dataset.path
    for reference in ("ffffffffffff", "nonsense", "../elsewhere"):
        with pytest.raises(NotFoundError):
            find_dataset(home, reference)


def test_the_start_of_two_digests_is_not_guessed(dataset: Dataset, home: Home) -> None:
    twin = home.datasets / ("0" * 64)
    twin.mkdir()
    record = json.loads((dataset.path / "dataset.json").read_text())
    digest = dataset.record.digest[:20] + "0" * 51
    (twin / "dataset.json").write_text(json.dumps(record | {"digest": digest}))
    with pytest.raises(InputError, match="2 datasets start with"):
        find_dataset(home, dataset.record.digest[7:12])


def test_an_empty_store_says_how_to_fill_it(home: Home) -> None:
    with pytest.raises(NotFoundError) as caught:
        find_dataset(home, "latest")
    assert "isocenter data ingest" in caught.value.hint
