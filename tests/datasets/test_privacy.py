"""Nothing that identifies a person leaves the source folder, at any moment of an ingest."""

import io
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as parquet
import pydicom
import pytest
from dicom_files import CANARY, Xray

from isocenter.datasets import IngestResult, open_dataset
from isocenter.home import Home


def written(root: Path) -> Iterator[tuple[str, bytes]]:
    """Each file under ``root``: its name, its bytes, and for Parquet every value without compression."""
    for path in root.rglob("*"):
        yield path.name, path.name.encode()
        if path.is_file():
            data = path.read_bytes()
            yield path.name, data
            if path.suffix == ".parquet":
                table = parquet.read_table(io.BytesIO(data))
                yield path.name, repr((table.schema.metadata, table.to_pydict())).encode()


def assert_absent(root: Path, secrets: dict[str, bytes]) -> None:
    found = {
        (file, what) for file, data in written(root) for what, secret in secrets.items() if secret in data
    }
    assert not found


@pytest.fixture
def secrets_of() -> Callable[[Path], dict[str, bytes]]:
    def collect(source: Path) -> dict[str, bytes]:
        """All that identifies in the files under ``source``, and the word that all identities carry."""
        secrets = {"the word": CANARY.encode(), "the word in UTF-16": CANARY.encode("utf-16-le")}
        for number, path in enumerate(source.rglob("*.dcm")):
            ds = pydicom.dcmread(path, stop_before_pixels=True)
            for name in (
                *("PatientID", "PatientBirthDate", "StudyDate", "StudyInstanceUID", "SeriesInstanceUID"),
                *("SOPInstanceUID", "AccessionNumber", "StationName"),
            ):
                secrets[f"{name} {number}"] = str(ds[name].value).encode()
            secrets[f"file {number}"] = path.stem.encode()
            secrets[f"time {number}"] = str(path.stat().st_mtime_ns).encode()
        return secrets

    return collect


@pytest.mark.parametrize("column", ["SOPInstanceUID", "AccessionNumber", "PatientID"])
def test_real_xrays_leave_no_identity(
    tmp_path: Path,
    shared_data: Path,
    home: Home,
    take_in: Callable[..., IngestResult],
    write_labels: Callable[..., Path],
    secrets_of: Callable[[Path], dict[str, bytes]],
    column: str,
) -> None:
    source = tmp_path / "out"
    script = shared_data.parent / "bin" / "cxr_to_dicom.py"
    archive = shared_data / "cxr" / "chest_xray_224_train.tar"
    options = ("--count", "12", "--size", "64", "--seed", "5")
    subprocess.run([sys.executable, script, archive, source, *options], check=True, capture_output=True)
    files = sorted((source / "dicom").glob("*.dcm"))
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    labels = write_labels([(ds[column].value, n % 2) for n, ds in enumerate(headers)], column)
    (source / "dicom" / f"{CANARY} torn.dcm").write_bytes(files[0].read_bytes()[:3000])
    result = take_in(source / "dicom", labels)
    assert (result.used, sum(result.quarantined.values())) == (12, 1)
    (source / "dicom" / f"{CANARY} torn.dcm").unlink()
    assert_absent(home.root, secrets_of(source))


def test_names_typed_into_the_device_s_fields_are_left_out(
    tmp_path: Path, home: Home, take_in: Callable[..., IngestResult]
) -> None:
    fields = {
        "Manufacturer": f"Acme {CANARY}",
        "ManufacturerModelName": "unit of zoe",
        "BodyPartExamined": CANARY,
        "Modality": CANARY,
    }
    for number in range(12):
        folder = ("normal", "pneumonia")[number % 2]
        header = fields if number % 3 else {}
        image = Xray(f"i{number}", patient=f"p{number}", header=header)
        image.write(tmp_path / "source" / folder / f"{number}.dcm")
    result = take_in(tmp_path / "source")
    scanners = open_dataset(result.path).column("scanner").tolist()
    assert sorted(set(scanners)) == ["", "Acme Röntgen DX-100"]
    assert_absent(home.root, {"the word": CANARY.encode(), "the first name": b"zoe"})


def test_an_interrupted_ingest_leaves_no_identity_either(
    tmp_path: Path,
    home: Home,
    take_in: Callable[..., IngestResult],
    secrets_of: Callable[[Path], dict[str, bytes]],
) -> None:
    source = tmp_path / "source"
    for number in range(12):
        Xray(f"i{number}", patient=f"p{number}").write(source / "a" / f"{CANARY}{number}.dcm")
    from isocenter.errors import InputError

    with pytest.raises(InputError):  # no folder is named like a class: chunks were written, nothing published
        take_in(source)
    names = {name for name, _ in written(home.ingests)}
    assert any(name.endswith(".npy") for name in names)
    assert any(name.endswith(".parquet") for name in names)
    assert_absent(home.root, secrets_of(source))


def test_the_search_would_find_what_it_searches_for(tmp_path: Path) -> None:
    import pyarrow as pa

    parquet.write_table(pa.table({"x": [CANARY] * 1000}), tmp_path / "x.parquet", compression="zstd")
    with pytest.raises(AssertionError):
        assert_absent(tmp_path, {"the word": CANARY.encode()})
