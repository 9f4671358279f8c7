"""`isocenter data show` and `list` on stores that are empty, or were meddled with."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from isocenter.datasets import IngestResult, ingest
from isocenter.home import Home

Cli = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def ingested(tmp_path: Path, shared_data: Path, home: Home) -> IngestResult:
    """Three of the shared radiographs."""
    from pydicom import dcmread

    source = tmp_path / "source"
    source.mkdir()
    rows = ["SOPInstanceUID,label"]
    names = ("highdicom_dx_thorax.dcm", "JLSL_08_07_0_1F.dcm", "JPEG-LL.dcm")
    for number, name in enumerate(names):
        (source / name).write_bytes((shared_data / "dicom" / name).read_bytes())
        rows.append(f"{dcmread(source / name).SOPInstanceUID},{number % 2}")
    (tmp_path / "labels.csv").write_text("\n".join(rows))
    classes = ("clear", "shadow")
    return ingest(home, source, labels=tmp_path / "labels.csv", classes=classes, image_size=32, processes=1)


def test_an_empty_store(home: Home, isocenter_cli: Cli) -> None:
    listed = isocenter_cli("data", "list")
    assert (listed.returncode, "No datasets yet" in listed.stdout) == (0, True)
    assert json.loads(isocenter_cli("data", "list", "--json").stdout) == []
    shown = isocenter_cli("data", "show")
    assert (shown.returncode, "isocenter data ingest" in shown.stderr) == (3, True)


def test_list_and_show_name_the_same_dataset(ingested: IngestResult, isocenter_cli: Cli) -> None:
    (listed,) = json.loads(isocenter_cli("data", "list", "--json").stdout)
    shown = json.loads(isocenter_cli("data", "show", listed["digest"][7:17], "--json").stdout)
    assert listed["digest"] == shown["digest"] == ingested.dataset.digest
    assert (listed["images"], listed["sizes"]) == (shown["images"], shown["image_sizes"]) == (3, [32])
    assert listed["classes"] == ["clear", "shadow"]
    assert ingested.dataset.digest[7:19] in isocenter_cli("data", "list").stdout


@pytest.mark.parametrize("reference", ["123456", "nonsense", "/nowhere"])
def test_a_dataset_that_is_not_there(ingested: IngestResult, isocenter_cli: Cli, reference: str) -> None:
    run = isocenter_cli("data", "show", reference)
    assert (run.returncode, run.stdout) == (3, "")


def test_a_changed_pixel_is_found_by_verify_only(ingested: IngestResult, isocenter_cli: Cli) -> None:
    path = ingested.path / "pixels" / "32.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    assert isocenter_cli("data", "show").returncode == 0
    run = isocenter_cli("data", "show", "--verify")
    assert (run.returncode, "changed after they were written" in run.stderr) == (6, True)


def test_help_shows_an_example(isocenter_cli: Cli) -> None:
    for verb in ("ingest", "list", "show"):
        run = isocenter_cli("data", verb, "--help")
        assert (run.returncode, "Example" in run.stdout) == (0, True)
