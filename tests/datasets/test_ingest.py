"""Ingest as a whole, on files, with the real reader in real processes."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from dicom_files import Xray, write_class_folders

from isocenter.datasets import IngestResult, Progress, open_dataset, source_fingerprint
from isocenter.datasets.quarantine import read_quarantine
from isocenter.datasets.sources import survey
from isocenter.errors import InputError
from isocenter.home import Home, open_home
from isocenter.imaging import pixel_digest, prepare, read_radiograph

TakeIn = Callable[..., IngestResult]
WriteLabels = Callable[..., Path]
CLASSES = ("normal", "pneumonia")


def test_each_row_holds_what_the_reader_says_of_its_file(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source")
    result = take_in(source)
    dataset = open_dataset(result.path)
    tiles, table = dataset.pixels(16), dataset.table.to_pylist()
    expected = {}
    for path in source.rglob("*.dcm"):
        image = read_radiograph(path)
        expected[pixel_digest(image.pixels)] = (image, path.parent.name.lower())
    assert [row["pixel_digest"] for row in table] == sorted(expected)
    for tile, row in zip(tiles, table, strict=True):
        image, folder = expected[row["pixel_digest"]]
        assert np.array_equal(tile, prepare(image.pixels, 16))
        assert CLASSES[row["label"]] == folder
        assert (row["view"], row["scanner"], row["sex"]) == ("PA", "Acme Röntgen DX-100", "F")
        assert (row["age_years"], row["age_band"], row["rows"], row["columns"]) == (57, "40-64", 24, 20)
    assert (result.used, result.decoded, result.dataset.patients, result.quarantined) == (12, 12, 12, {})
    assert dataset.version == result.dataset
    dataset.verify()


def test_the_digest_knows_neither_order_nor_folder_nor_store_nor_tile_size(
    tmp_path: Path, take_in: TakeIn, write_labels: WriteLabels
) -> None:
    images = [Xray(f"i{n}", patient=f"p{n // 2}") for n in range(10)]
    here = [image.write(tmp_path / "here" / f"{n}.dcm") for n, image in enumerate(images)]
    for n, path in enumerate(here):
        target = tmp_path / "there" / f"folder{n % 3}" / f"{9 - n}"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    labels = write_labels([(image.sop_instance_uid, n % 2) for n, image in enumerate(images)])
    one = take_in(tmp_path / "here", labels)
    other_store = open_home(tmp_path / "other store")
    two = take_in(tmp_path / "there", labels, home=other_store, image_size=32, processes=2)
    assert one.dataset == two.dataset
    keys = [open_dataset(result.path).column("patient_key") for result in (one, two)]
    assert not set(keys[0]) & set(keys[1])


def test_nothing_new_reads_nothing(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source")
    first = take_in(source)
    stages: list[Progress] = []
    before = {path: path.stat().st_mtime_ns for path in first.path.rglob("*.npy")}
    second = take_in(source, progress=stages.append)
    assert (second.unchanged, second.decoded, second.reused) == (True, 0, 12)
    assert second.dataset == first.dataset
    assert {progress.stage for progress in stages} == {"listing"}
    assert before == {path: path.stat().st_mtime_ns for path in first.path.rglob("*.npy")}


def test_only_new_and_changed_files_are_read(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source")
    old = open_dataset(take_in(source).path)
    Xray("new", patient="new").write(source / "normal" / "new.dcm")
    changed = source / "Pneumonia" / "CANARY_0.dcm"
    Xray("changed", patient="Pneumonia0", instance="Pneumonia0").write(changed)
    os.utime(changed, ns=(1, 1))
    (source / "normal" / "CANARY_5.dcm").unlink()
    result = take_in(source)
    assert (result.decoded, result.reused, result.used, result.unchanged) == (2, 10, 12, False)
    new = open_dataset(result.path)
    new.verify()
    assert old.path != new.path
    assert old.path.is_dir()
    rows = {digest: row for row, digest in enumerate(old.column("pixel_digest"))}
    shared = 0
    for row, digest in enumerate(new.column("pixel_digest")):
        if digest in rows:
            shared += 1
            assert np.array_equal(new.pixels(16)[row], old.pixels(16)[rows[digest]])
    assert shared == 10


def test_damaged_tiles_are_not_taken_over_into_a_new_dataset(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source")
    old = take_in(source)
    cache = old.path / "pixels" / "16.npy"
    whole = np.load(cache)
    with cache.open("r+b") as stream:
        stream.seek(-64, os.SEEK_END)
        stream.write(b"\0" * 64)
    Xray("new", patient="new").write(source / "normal" / "new.dcm")
    new = take_in(source)
    assert (new.used, new.decoded) == (13, 13)
    tiles = open_dataset(new.path).pixels(16)
    rows = open_dataset(new.path).column("pixel_digest").tolist()
    for tile, digest in zip(whole, open_dataset(old.path).column("pixel_digest"), strict=True):
        assert np.array_equal(tile, tiles[rows.index(digest)])


def test_adding_patients_moves_no_old_one(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source", per_class=10)

    def splits() -> dict[str, str]:
        dataset = open_dataset(take_in(source).path)
        return dict(zip(dataset.column("patient_key"), dataset.column("split"), strict=True))

    before = splits()
    for number in range(10):
        Xray(f"more{number}", patient=f"more{number}").write(source / "normal" / f"more{number}.dcm")
    assert before.items() <= splits().items()


def test_all_images_of_a_patient_share_a_split(tmp_path: Path, take_in: TakeIn) -> None:
    for number in range(24):
        folder = CLASSES[number % 2]
        Xray(f"i{number}", patient=f"p{number // 4}").write(tmp_path / "source" / folder / f"{number}.dcm")
    dataset = open_dataset(take_in(tmp_path / "source").path)
    pairs = set(zip(dataset.column("patient_key"), dataset.column("split"), strict=True))
    assert len(pairs) == 6 == dataset.version.patients
    assert sorted(np.concatenate([dataset.rows(split) for split in ("train", "validation", "test")])) == list(
        range(24)
    )


def test_without_patient_id_a_study_is_the_patient(tmp_path: Path, take_in: TakeIn) -> None:
    for number in range(8):
        xray = Xray(f"i{number}", patient="", study=f"s{number // 2}")
        xray.write(tmp_path / "source" / CLASSES[number % 2] / f"{number}.dcm")
    assert take_in(tmp_path / "source").dataset.patients == 4


def test_another_size_joins_the_same_dataset(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source")
    small, large = take_in(source), take_in(source, image_size=32)
    assert small.path == large.path
    dataset = open_dataset(small.path)
    assert dataset.sizes == [16, 32]
    dataset.verify()
    # Both sizes are remembered, one after the other.
    assert take_in(source).decoded == 0
    assert take_in(source, image_size=32).decoded == 0


def test_labels_that_come_later_find_their_images(
    tmp_path: Path, take_in: TakeIn, write_labels: WriteLabels
) -> None:
    images = [Xray(f"i{n}", patient=f"p{n}") for n in range(6)]
    for n, image in enumerate(images):
        image.write(tmp_path / "source" / f"{n}.dcm")
    labels = write_labels(
        [(image.sop_instance_uid, n % 2) for n, image in enumerate(images[:4])] + [("1.2", 0)]
    )
    result = take_in(tmp_path / "source", labels)
    assert (result.used, dict(result.quarantined), result.labels_without_file) == (4, {"no-label": 2}, 1)
    write_labels([(image.sop_instance_uid, n % 2) for n, image in enumerate(images)])
    result = take_in(tmp_path / "source", labels)
    assert (result.used, result.quarantined, result.labels_without_file) == (6, {}, 0)
    open_dataset(result.path).verify()


@pytest.mark.parametrize("column", ["SOPInstanceUID", "StudyInstanceUID", "AccessionNumber", "PatientID"])
def test_every_kind_of_identifier_finds_its_image(
    tmp_path: Path, take_in: TakeIn, write_labels: WriteLabels, column: str
) -> None:
    attribute = {
        "SOPInstanceUID": "sop_instance_uid",
        "StudyInstanceUID": "study_instance_uid",
        "AccessionNumber": "accession_number",
        "PatientID": "patient_id",
    }[column]
    images = [Xray(f"i{n}", patient=f"p{n}") for n in range(4)]
    for n, image in enumerate(images):
        image.write(tmp_path / "source" / f"{n}.dcm")
    labels = write_labels([(getattr(image, attribute), n % 2) for n, image in enumerate(images)], column)
    result = take_in(tmp_path / "source", labels)
    assert (result.used, result.labels_without_file) == (4, 0)


def test_duplicates_and_conflicts(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source")
    twin = Xray("normal0", patient="normal0")
    twin.write(source / "normal" / "copy.dcm")
    for number, pixels in enumerate(("first", "second")):
        Xray(pixels, patient="u", instance="same uid").write(source / "normal" / f"uid{number}.dcm")
    for number, folder in enumerate(("normal", "pneumonia")):
        xray = Xray("disputed", patient="d", instance=f"disputed{number}")
        xray.write(source / folder / "disputed.dcm")
    both = [Xray(f"both{n}", patient="both").write(source / CLASSES[n] / "both.dcm") for n in (0, 1)]
    result = take_in(source)
    assert len(both) == 2
    assert (result.used, result.duplicates) == (14, 1)
    assert dict(result.quarantined) == {"uid-conflict": 2, "label-conflict": 2}
    reasons = [entry.reason for entry in read_quarantine(result.path)]
    assert sorted(reasons) == ["label-conflict"] * 2 + ["uid-conflict"] * 2


def test_a_dicomdir_is_a_source(tmp_path: Path, take_in: TakeIn, write_labels: WriteLabels) -> None:
    from pydicom.fileset import FileSet

    fileset = FileSet()
    images = [Xray(f"i{n}", patient=f"p{n}") for n in range(4)]
    for image in images:
        dataset = image.dataset()
        dataset.StudyTime, dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "12", "1", "1", "1"
        fileset.add(dataset)
    fileset.write(tmp_path / "medium")
    fileset._stage["t"].cleanup()
    Xray("unlisted", patient="x").write(tmp_path / "medium" / "unlisted.dcm")
    labels = write_labels([(image.sop_instance_uid, n % 2) for n, image in enumerate(images)])
    result = take_in(tmp_path / "medium" / "DICOMDIR", labels)
    assert (result.used, result.decoded, result.quarantined) == (4, 4, {})
    (tmp_path / "medium" / survey(tmp_path / "medium" / "DICOMDIR").files[0].relative).unlink()
    fewer = take_in(tmp_path / "medium" / "DICOMDIR", labels)
    assert (fewer.used, dict(fewer.quarantined)) == (3, {"missing-file": 1})


def test_one_class_and_nothing_usable_publish_nothing(
    tmp_path: Path, home: Home, take_in: TakeIn, write_labels: WriteLabels
) -> None:
    images = [Xray(f"i{n}", patient=f"p{n}").write(tmp_path / "source/normal" / f"{n}.dcm") for n in range(3)]
    with pytest.raises(InputError, match="Only one class is there: normal"):
        take_in(tmp_path / "source")
    with pytest.raises(InputError, match="None of the files can be used: 3 no-label") as caught:
        take_in(tmp_path / "source", write_labels([("1.2.3", 0), ("1.2.4", 1)]))
    assert "labels file" in caught.value.hint
    for path in images:
        path.write_bytes(b"")
    with pytest.raises(InputError, match="3 empty-file"):
        take_in(tmp_path / "source")
    assert not list(home.datasets.glob("*"))


def test_what_failed_for_its_labels_is_not_read_again(
    tmp_path: Path, take_in: TakeIn, write_labels: WriteLabels
) -> None:
    images = [Xray(f"i{n}", patient=f"p{n}") for n in range(4)]
    for n, image in enumerate(images):
        image.write(tmp_path / "source" / f"{n}.dcm")
    with pytest.raises(InputError):
        take_in(tmp_path / "source", write_labels([("1.2.3", 0), ("1.2.4", 1)]))
    labels = write_labels([(image.sop_instance_uid, n % 2) for n, image in enumerate(images)])
    assert take_in(tmp_path / "source", labels).decoded == 0


def test_three_patients_are_enough_to_ingest(tmp_path: Path, take_in: TakeIn) -> None:
    for number in range(3):
        Xray(f"i{number}", patient=f"p{number}").write(
            tmp_path / "source" / CLASSES[number % 2] / f"{number}"
        )
    assert take_in(tmp_path / "source").dataset.patients == 3


def test_the_fingerprint_tells_whether_anything_is_new(
    tmp_path: Path, home: Home, take_in: TakeIn, write_labels: WriteLabels
) -> None:
    source = write_class_folders(tmp_path / "source", per_class=2)
    labels = write_labels([("a", 0)])

    def fingerprint(size: int = 16, classes: tuple[str, str] = CLASSES, table: Path | None = None) -> str:
        return source_fingerprint(home, source, table, classes, size)

    first = fingerprint()
    take_in(source)
    assert fingerprint() == first
    marks = {first, fingerprint(32), fingerprint(classes=("normal", "effusion")), fingerprint(table=labels)}
    write_labels([("a", 1)])
    marks.add(fingerprint(table=labels))
    os.utime(source / "normal" / "CANARY_0.dcm", ns=(5, 5))
    marks.add(fingerprint())
    (source / "normal" / "CANARY_0.dcm").rename(source / "normal" / "CANARY_9.dcm")
    marks.add(fingerprint())
    (source / "link").symlink_to("nowhere")
    marks.add(fingerprint())
    assert len(marks) == 8


def test_a_dataset_that_was_deleted_is_made_again(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source", per_class=2)
    first = take_in(source)
    shutil.rmtree(first.path)
    again = take_in(source)
    assert (again.dataset, again.decoded, again.unchanged) == (first.dataset, 4, False)
    open_dataset(again.path).verify()


@pytest.mark.parametrize("setting", [{"image_size": 8}, {"image_size": 5000}, {"processes": 0}])
def test_settings_out_of_range(tmp_path: Path, take_in: TakeIn, setting: dict[str, int]) -> None:
    with pytest.raises(InputError):
        take_in(write_class_folders(tmp_path / "source", per_class=1), **setting)


def test_progress_counts_every_file_once(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source")
    steps: list[Progress] = []
    take_in(source, progress=steps.append)
    done = [step.done for step in steps if step.stage == "reading"]
    assert done == sorted(done)
    assert (steps[0].stage, steps[-1].stage, done[-1]) == ("listing", "publishing", 12)
    assert {step.total for step in steps if step.stage == "reading"} == {12}


def test_facts_of_the_last_ingest_lie_beside_the_dataset(tmp_path: Path, take_in: TakeIn) -> None:
    source = write_class_folders(tmp_path / "source", per_class=2)
    (source / "empty.dcm").touch()
    result = take_in(source)
    facts = json.loads((result.path / "ingest.json").read_text())
    assert (facts["files"], facts["used"], facts["quarantined"]) == (5, 4, {"empty-file": 1})
