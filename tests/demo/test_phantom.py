"""The synthetic set: what is in the files, that they can be read, and that a re-run leaves them alone."""

import csv
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pydicom
import pytest

from isocenter.demo import DemoSet, write_demo_set
from isocenter.demo.instance import encode
from isocenter.demo.radiograph import expose
from isocenter.demo.roster import CANARY, plan_patient
from isocenter.demo.scanner import SCANNERS
from isocenter.errors import InputError
from isocenter.imaging import read_radiograph

PATIENTS, SIZE = 24, 96


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> DemoSet:
    return write_demo_set(tmp_path_factory.mktemp("demo") / "set", patients=PATIENTS, size=SIZE)


def _labels(demo: DemoSet) -> dict[str, str]:
    with demo.labels.open(newline="") as stream:
        return {row["SOPInstanceUID"]: row["label"] for row in csv.DictReader(stream)}


def _files(demo: DemoSet) -> list[Path]:
    return sorted(demo.folder.rglob("*.dcm"))


def _stamps(root: Path) -> dict[str, tuple[int, bytes]]:
    paths = [path for path in root.rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def test_every_image_has_its_label_and_both_classes_are_there(small: DemoSet) -> None:
    found = [str(pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in _files(small)]
    labels = _labels(small)
    assert sorted(found) == sorted(labels)
    assert len(found) == small.images
    assert min(Counter(labels.values())[name] for name in ("normal", "pneumonia")) > len(found) / 4


def test_patients_have_one_to_three_images_and_the_unseen_ones_are_others(small: DemoSet) -> None:
    counts = Counter(str(pydicom.dcmread(p, stop_before_pixels=True).PatientID) for p in _files(small))
    assert len(counts) == PATIENTS == small.patients
    assert set(counts.values()) == {1, 2, 3}
    unseen = {str(pydicom.dcmread(path).PatientID) for path in small.unseen}
    assert len(unseen) == 2
    assert not unseen & set(counts)


def test_each_scanner_is_read_as_it_was_drawn() -> None:
    images = [image for number in range(40) for image in plan_patient(7, number)]
    for scanner in SCANNERS:
        planned = next(image for image in images if image.scanner == scanner)
        picture, spacing = expose(planned, seed=7, size=SIZE)
        read = read_radiograph(encode(planned, picture, spacing, uid_root=("test",)))
        assert read.attributes.scanner == f"{scanner.manufacturer} {scanner.model}"
        assert read.attributes.transfer_syntax == scanner.transfer_syntax
        assert (read.attributes.view, read.attributes.sex) == (planned.view, planned.patient.sex)
        # Half a step of the grey scale, and a little for the table of a VOI LUT.
        assert np.abs(read.pixels - picture).max() < 2 / (scanner.grey[1] - scanner.grey[0])


def test_the_scanners_differ_in_what_readers_get_wrong() -> None:
    assert {scanner.photometric for scanner in SCANNERS} == {"MONOCHROME1", "MONOCHROME2"}
    assert len({scanner.transfer_syntax for scanner in SCANNERS}) == len(SCANNERS)
    assert len({scanner.bits for scanner in SCANNERS}) >= 3
    assert len({scanner.field[0] / scanner.field[1] for scanner in SCANNERS}) >= 3


def test_every_identifier_holds_the_canary(small: DemoSet) -> None:
    keywords = ("PatientName", "PatientID", "AccessionNumber", "StudyID", "InstitutionName")
    for path in _files(small):
        header = pydicom.dcmread(path, stop_before_pixels=True)
        assert all(CANARY in str(header[keyword].value) for keyword in keywords)
        assert CANARY not in header.Manufacturer + header.ManufacturerModelName


def test_brightness_says_nothing_about_disease() -> None:
    """The area under the ROC curve of an image's mean and of its deviation, over many patients."""
    images = [
        image for n in range(150) for image in plan_patient(7, n) if (image.study, image.number) == (0, 0)
    ]
    pictures = [expose(image, seed=7, size=64)[0] for image in images]
    ill = np.array([image.pneumonia for image in images])
    for statistic in (np.mean, np.std):
        values = np.array([statistic(picture) for picture in pictures])
        wins = (values[ill][:, None] > values[~ill][None, :]).mean()
        # 150 patients: the standard error of such an area is about 0.05.
        assert abs(wins - 0.5) < 0.17, statistic


def test_neither_scanner_nor_view_gives_the_label_away() -> None:
    images = [image for number in range(600) for image in plan_patient(7, number)]
    for group in ({image.scanner.model for image in images}, {"PA", "AP"}):
        for value in group:
            share = np.mean([i.pneumonia for i in images if value in (i.scanner.model, i.view)])
            assert 0.35 < share < 0.6, value


def test_the_same_call_writes_the_same_bytes_elsewhere(small: DemoSet, tmp_path: Path) -> None:
    again = write_demo_set(tmp_path / "other", patients=PATIENTS, size=SIZE)
    first, second = _stamps(small.folder.parent), _stamps(again.folder.parent)
    assert {name: data for name, (_, data) in first.items()} == {name: d for name, (_, d) in second.items()}


def test_a_re_run_leaves_files_alone_and_mends_what_is_missing_or_changed(tmp_path: Path) -> None:
    out = tmp_path / "set"
    demo = write_demo_set(out, patients=4, size=64)
    before = _stamps(out)
    assert write_demo_set(out, patients=4, size=64).written == 0
    assert _stamps(out) == before
    gone, changed = _files(demo)[:2]
    gone.unlink()
    changed.write_bytes(b"not what was there")
    assert write_demo_set(out, patients=4, size=64).written == 2
    assert {name: data for name, (_, data) in _stamps(out).items()} == {n: d for n, (_, d) in before.items()}


def test_more_patients_join_a_set_and_move_nothing(tmp_path: Path) -> None:
    out = tmp_path / "set"
    write_demo_set(out, patients=4, size=64)
    before = {name: stamp for name, stamp in _stamps(out).items() if name.startswith("dicom/")}
    assert write_demo_set(out, patients=6, size=64).patients == 6
    after = _stamps(out)
    assert {name: after[name] for name in before} == before
    assert len(after) > len(before)


def test_a_set_that_was_stopped_half_way_is_completed(tmp_path: Path) -> None:
    class StoppedError(Exception):
        pass

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise StoppedError

    out = tmp_path / "set"
    with pytest.raises(StoppedError):
        write_demo_set(out, patients=6, size=64, progress=stop)
    finished = write_demo_set(out, patients=6, size=64)
    whole = write_demo_set(tmp_path / "whole", patients=6, size=64)
    assert finished.images == whole.images
    assert finished.written < whole.written


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"patients": 1}, "2 to"), ({"size": 8}, "64 to"), ({"size": 9999}, "64 to"), ({"seed": -1}, "seed")],
)
def test_settings_out_of_range(tmp_path: Path, settings: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_demo_set(tmp_path / "set", **settings)
    assert not (tmp_path / "set").exists()


def test_a_folder_with_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="other files"):
        write_demo_set(tmp_path, patients=2, size=64)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_set_of_another_seed_or_with_more_patients_is_refused(tmp_path: Path) -> None:
    write_demo_set(tmp_path, patients=4, size=64)
    before = _stamps(tmp_path)
    for other in ({"seed": 8, "patients": 4}, {"patients": 2}, {"patients": 4, "size": 65}):
        with pytest.raises(InputError, match="holds a demo set"):
            write_demo_set(tmp_path, **({"size": 64} | other))
    assert _stamps(tmp_path) == before


def test_the_files_are_valid_instances_of_their_iods(small: DemoSet) -> None:
    """dciodvfy is dicom3tools' validator of IODs and modules."""
    validator = shutil.which("dciodvfy")
    if validator is None:
        pytest.skip("LACKS: dciodvfy, the DICOM validator (on Debian: apt-get install dicom3tools)")
    for path in [*_files(small), *small.unseen]:
        done = subprocess.run([validator, path], capture_output=True, text=True, check=False)
        assert "Error" not in done.stderr, (path.name, done.stderr)
