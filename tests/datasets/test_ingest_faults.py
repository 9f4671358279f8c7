"""Bad files, a full disk, kill -9, two at once: each with the real thing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicom_files import Xray, picture, write_class_folders
from pydicom.uid import JPEGLSLossless, RLELossless

from isocenter.datasets import IngestResult, Progress, open_dataset
from isocenter.datasets.quarantine import read_quarantine
from isocenter.datasets.quarantine_names import name_quarantined, printable
from isocenter.errors import EnvironmentFaultError
from isocenter.home import Home, open_home

TakeIn = Callable[..., IngestResult]
INGEST = """
import sys; from pathlib import Path
from isocenter.datasets import ingest; from isocenter.home import open_home
store, source, processes = sys.argv[1:]
def tell(progress): print(progress.stage, progress.done, flush=True)
ingest(open_home(Path(store)), Path(source), labels=None, classes=("normal", "pneumonia"), image_size=16,
       processes=int(processes), progress=tell)
"""


def start(store: Path, source: Path, processes: int = 2) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", INGEST, str(store), str(source), str(processes)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def bad_files(folder: Path) -> dict[str, set[str]]:
    """Writes one file of each kind that hospitals' exports hold; returns the reasons each may get."""
    good = Xray("good", patient="good").write(folder / "template").read_bytes()
    (folder / "template").unlink()
    plain = {
        "zero.dcm": (b"", {"empty-file"}),
        "text.dcm": (b"PatientName;CANARY\n" * 30, {"not-dicom"}),
        "zeros.dcm": (bytes(5000), {"not-dicom"}),
        "torn-pixels.dcm": (good[:-200], {"truncated"}),
        "torn-header.dcm": (good[:300], {"truncated", "bad-header"}),
        "line\nbreak Ü torn.dcm": (good[:-1], {"truncated"}),
    }
    for name, (data, _) in plain.items():
        (folder / name).write_bytes(data)

    no_pixels = Xray("no-pixels").dataset()
    del no_pixels.PixelData
    no_pixels.save_as(folder / "no-pixels.dcm", enforce_file_format=True)
    Xray("huge", header={"Rows": 65535, "Columns": 65535}).write(folder / "huge.dcm")
    Xray("short", header={"Rows": 30}).write(folder / "short.dcm")
    for syntax, name in ((JPEGLSLossless, "jpeg-ls.dcm"), (RLELossless, "rle.dcm")):
        ds = Xray(name).dataset()
        ds.compress(syntax)
        data = bytearray(ds.PixelData)
        data[20:] = np.random.default_rng(0).bytes(len(data) - 20)
        ds.PixelData = bytes(data[: len(data) & ~1])
        ds.save_as(folder / name, enforce_file_format=True)
    os.mkfifo(folder / "pipe.dcm")
    (folder / "loop").symlink_to(folder)
    return {name: reasons for name, (_, reasons) in plain.items()} | {
        "no-pixels.dcm": {"no-pixel-data"},
        "huge.dcm": {"too-large"},
        "short.dcm": {"pixel-length-mismatch"},
        "jpeg-ls.dcm": {"decode-failed", "truncated"},
        "rle.dcm": {"decode-failed", "truncated"},
        "pipe.dcm": {"not-a-file"},
        "loop": {"symlink-loop"},
    }


def test_each_bad_file_is_set_aside_with_its_reason(tmp_path: Path, home: Home, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source", per_class=3)
    expected = {f"normal/{name}": reasons for name, reasons in bad_files(source / "normal").items()}
    Xray("Ü", patient="odd").write(source / "normal" / "line\nbreak Ü.dcm")
    result = take_in(source, processes=2)
    found = {
        path: entry.reason for path, entry in name_quarantined(home, source, read_quarantine(result.path))
    }
    assert found.keys() == expected.keys()
    assert {path: reason for path, reason in found.items() if reason not in expected[path]} == {}
    assert result.used == 7
    assert printable("line\nbreak Ü\udcff") == "line\\nbreak Ü\\udcff"


def test_every_shared_dicom_file_is_used_or_set_aside_for_the_right_reason(
    shared_data: Path, home: Home, take_in: TakeIn, write_labels: Callable[..., Path]
) -> None:
    radiographs = {
        *("JLSL_08_07_0_1F.dcm", "JLSL_16_15_1_1F.dcm", "JPEG-LL.dcm"),
        *("RG3_J2KI.dcm", "RG3_J2KR.dcm", "highdicom_dx_thorax.dcm"),
    }
    source = shared_data / "dicom"
    uids = [pydicom.dcmread(source / name, specific_tags=["SOPInstanceUID"]) for name in sorted(radiographs)]
    result = take_in(source, write_labels([(ds.SOPInstanceUID, n % 2) for n, ds in enumerate(uids)]))
    set_aside = name_quarantined(home, source, read_quarantine(result.path))
    assert {path: entry.reason for path, entry in set_aside} == REASONS_OF_SHARED
    assert result.used == len(radiographs)
    assert {path.name for path in source.iterdir()} == radiographs | REASONS_OF_SHARED.keys()


# By what pydicom says of each: SOP class, frames, photometric interpretation.
REASONS_OF_SHARED = {
    "693_J2KR.dcm": "unsupported-sop-class",  # CT
    "JPGLosslessP14SV1_1s_1f_8b.dcm": "unsupported-sop-class",  # ultrasound
    "LICENSE-highdicom": "not-dicom",
    "LICENSE-pydicom-data": "not-dicom",
    "MR2_J2KI.dcm": "unsupported-sop-class",  # MR
    "OBXXXX1A_rle.dcm": "unsupported-sop-class",  # ultrasound
    "SC_rgb.dcm": "colour",
    "SC_rgb_16bit_2frame.dcm": "multi-frame",
    "bad_sequence.dcm": "unsupported-sop-class",  # CT
    "color-pl.dcm": "unsupported-sop-class",  # ultrasound
    "emri_small.dcm": "multi-frame",
    "emri_small_RLE.dcm": "multi-frame",
    "emri_small_jpeg_2k_lossless_too_short.dcm": "multi-frame",
    "explicit_VR-UN.dcm": "unsupported-sop-class",  # CT
    "ps3.15_table_e1-1.json": "not-dicom",
}


def test_kill_9_while_reading_then_again(tmp_path: Path, home: Home, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source", per_class=100)
    process = start(home.root, source)
    assert process.stdout
    for _ in process.stdout:  # a line a file; the first finished chunk is what a re-run can build on
        if any(home.ingests.glob("*/chunks/*/*.parquet")):
            break
    process.kill()
    process.wait()
    process.stdout.close()
    assert process.stderr
    process.stderr.close()
    assert not list(home.datasets.glob("*"))
    result = take_in(source)
    assert result.used == 200
    assert 0 < result.reused < 200
    open_dataset(result.path).verify()
    assert result.dataset == take_in(source, home=open_home(tmp_path / "undisturbed")).dataset
    assert leftovers(home.root) == []


@pytest.mark.slow
def test_kill_9_at_any_moment(tmp_path: Path, home: Home, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source", per_class=20)
    expected = take_in(source, home=open_home(tmp_path / "undisturbed")).dataset
    for delay in np.linspace(0.2, 1.4, 6):
        store = tmp_path / f"store {delay:.2f}"
        process = start(store, source)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        again = take_in(source, home=open_home(store))
        assert again.dataset == expected
        open_dataset(again.path).verify()
        assert leftovers(store) == []


def leftovers(store: Path) -> list[str]:
    """What an ingest must not leave in its folders once it has finished."""
    return [
        str(path.relative_to(store))
        for folder in ("datasets", "ingests")
        for path in (store / folder).rglob("*")
        if path.name.startswith(".tmp-")
        or path.name == "publication"
        or ("chunks" in path.parts and path.is_file())
    ]


def test_two_at_once_the_second_waits_and_finds_it_done(tmp_path: Path, home: Home) -> None:
    source = write_class_folders(tmp_path / "source", per_class=60)
    first, second = start(home.root, source, 1), start(home.root, source, 1)
    said = [process.communicate(timeout=120) for process in (first, second)]
    assert [first.returncode, second.returncode] == [0, 0], said
    outputs = [out for out, _ in said]
    assert sum("waiting" in out for out in outputs) == 1
    assert sum("reading" in out for out in outputs) == 1
    assert len(list(home.datasets.glob("*"))) == 1


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("LACKS: the right to mount a small tmpfs (full disk); run as root with CAP_SYS_ADMIN")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.parametrize("free", [30_000, 600_000, 1_300_000, 1_900_000])
def test_a_full_disk_is_said_and_a_rerun_finishes(
    tmp_path: Path, small_disk: Path, take_in: TakeIn, free: int
) -> None:
    """With little space chunks fail, with more the publication does."""
    source = write_class_folders(tmp_path / "source", per_class=60)
    home = open_home(small_disk / "store")
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * ((4 << 20) - free - 8192))
    before = set(home.root.rglob("*"))
    with pytest.raises(EnvironmentFaultError, match="full") as caught:
        take_in(source, home=home, image_size=64)
    assert caught.value.exit_code == 7
    assert not list(home.datasets.glob("*")) if home.datasets.exists() else True
    assert [name for name in leftovers(home.root) if ".tmp-" in name or "publication" in name] == []
    assert before <= set(home.root.rglob("*"))
    ballast.unlink()
    home_disk = subprocess.run(
        ["mount", "-o", "remount,size=64m", str(small_disk)], capture_output=True, check=False
    )
    assert home_disk.returncode == 0
    result = take_in(source, home=home, image_size=64)
    assert result.used == 120
    open_dataset(result.path).verify()


def test_a_file_that_changes_while_others_are_read_is_taken_as_it_was_or_is(
    tmp_path: Path, take_in: TakeIn
) -> None:
    source = write_class_folders(tmp_path / "source", per_class=4)

    def shrink(progress: Progress) -> None:
        if progress.stage == "reading":
            (source / "normal" / "CANARY_3.dcm").write_bytes(b"")

    take_in(source, progress=shrink)
    assert take_in(source).quarantined == {"empty-file": 1}


def test_a_vanished_file_is_set_aside_and_read_when_it_is_back(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source", per_class=40)
    victim = source / "Pneumonia" / "CANARY_9.dcm"
    data, status = victim.read_bytes(), victim.stat()

    def vanish(progress: Progress) -> None:
        if progress.stage == "reading":
            victim.unlink(missing_ok=True)

    first = take_in(source, progress=vanish)
    victim.write_bytes(data)
    os.utime(victim, ns=(status.st_mtime_ns, status.st_mtime_ns))
    assert take_in(source).used == 80
    assert first.used in (79, 80)


def test_pictures_differ(tmp_path: Path) -> None:
    """The builder's promise that the other tests rest on."""
    assert not np.array_equal(picture("a"), picture("b"))
    assert np.array_equal(picture("a"), picture("a"))
