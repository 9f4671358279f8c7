"""Validation finds what makes a dataset useless for training or for judging."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from isocenter.datasets import Dataset, ingest, open_dataset
from isocenter.domain.dataset import Split
from isocenter.errors import InputError, IntegrityError
from isocenter.home import Home
from isocenter.pipelines.validate import auroc_of_attribute, validate
from isocenter.pipelines.validation import ValidationReport, refuse_unless_valid

_spec = importlib.util.spec_from_file_location("xray_folder", Path(__file__).with_name("xray_folder.py"))
assert _spec is not None
assert _spec.loader is not None
xray_folder = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(xray_folder)
SIZE = 16


def make(home: Home, folder: Path, **options: Any) -> Dataset:
    data = xray_folder.write_folder(folder, **options)
    result = ingest(
        home,
        data / "dicom",
        labels=data / "labels.csv",
        classes=("normal", "pneumonia"),
        image_size=SIZE,
        processes=1,
    )
    return open_dataset(result.path)


class Changed(Dataset):
    """A dataset whose table or tiles are other than on disk."""

    def __init__(self, dataset: Dataset, **columns: Any) -> None:
        super().__init__(dataset.path, dataset.record)
        table = dataset.table
        for name, values in columns.items():
            index = table.schema.get_field_index(name)
            field = table.schema.field(index)
            table = table.set_column(index, field, pa.array(values, field.type))
        self.__dict__["table"] = table
        self.__dict__["tiles"] = np.array(dataset.pixels(SIZE))

    def pixels(self, size: int) -> Any:
        return self.__dict__["tiles"]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("valid")
    home = Home(folder / "store")
    home.root.mkdir()
    return make(home, folder / "data", patients=150)


def sentences(report: ValidationReport, check: str) -> list[str]:
    return [finding.sentence for finding in report.findings if finding.check == check]


def test_sound_dataset_has_no_errors(dataset: Dataset) -> None:
    report = validate(dataset, SIZE)
    refuse_unless_valid(report)
    assert report.errors == ()
    assert sum(part.patients for part in report.splits) == 150
    assert 0.05 < report.mean_intensity < 0.6
    assert report.constant_images == 0
    assert sentences(report, "shortcut") == []


def test_report_depends_on_content_only(dataset: Dataset, tmp_path: Path) -> None:
    """Another store, another site secret: the same report."""
    home = Home(tmp_path / "store")
    home.root.mkdir()
    again = make(home, tmp_path / "data", patients=150)
    assert validate(again, SIZE) == validate(dataset, SIZE)


def test_three_patients_are_too_few_and_the_message_says_so(home: Home, tmp_path: Path) -> None:
    report = validate(make(home, tmp_path / "data", patients=3), SIZE)
    with pytest.raises(InputError) as caught:
        refuse_unless_valid(report)
    text = caught.value.message
    assert "It holds 3 patients" in text
    for split, least in ((Split.TRAIN, 5), (Split.VALIDATION, 2), (Split.TEST, 2)):
        assert f"{split} needs {least} patients of each class and has" in text
    assert "about 40 of each class" in text


def test_patient_in_two_splits(dataset: Dataset) -> None:
    splits = dataset.column("split").tolist()
    patients = dataset.column("patient_key").tolist()
    patients[splits.index("test")] = patients[splits.index("train")]
    report = validate(Changed(dataset, patient_key=patients), SIZE)
    assert "1 patients are in more than one split." in report.errors


def test_repeated_image(dataset: Dataset) -> None:
    digests = dataset.column("pixel_digest").tolist()
    report = validate(Changed(dataset, pixel_digest=[digests[1], *digests[1:]]), SIZE)
    assert "1 images are there more than once." in report.errors


@pytest.mark.parametrize(("count", "severe"), [(3, False), (30, True)])
def test_constant_images(dataset: Dataset, count: int, severe: bool) -> None:
    changed = Changed(dataset)
    changed.pixels(SIZE)[:count] = 7
    report = validate(changed, SIZE)
    assert sentences(report, "pixels") == [f"{count} of 150 images hold a single grey value."]
    assert bool(report.errors) is severe


def test_scanner_that_gives_the_class_away(dataset: Dataset) -> None:
    labels = dataset.column("label").tolist()
    report = validate(Changed(dataset, scanner=[f"Acme {label}" for label in labels]), SIZE)
    (sentence,) = sentences(report, "shortcut")
    assert sentence.startswith("The scanner alone tells the classes apart with AUROC 1.00")
    assert report.errors == ()


def test_rare_class_and_unknown_sex(dataset: Dataset) -> None:
    labels = np.zeros(150, dtype=int)
    labels[:4] = 1
    report = validate(Changed(dataset, label=labels, sex=[""] * 150), SIZE)
    assert sentences(report, "balance") == ["Only 2.7% of the images are pneumonia."]
    assert sentences(report, "attributes") == ["The sex is not stated for 100% of the images."]


def test_missing_pixel_cache_is_a_fault_of_the_store(dataset: Dataset) -> None:
    with pytest.raises(IntegrityError, match="no pixels of size 99"):
        validate(dataset, 99)


def test_auroc_of_attribute_is_fair_to_rare_values() -> None:
    labels = np.arange(200) % 2
    assert auroc_of_attribute(np.array([f"v{n}" for n in range(200)]), labels) == 0.5
    assert auroc_of_attribute(np.full(200, "same"), labels) == 0.5
    assert auroc_of_attribute(np.where(labels == 1, "a", "b"), labels) == 1.0
    assert auroc_of_attribute(np.full(3, "a"), np.ones(3, dtype=int)) == 0.5
    half = np.where(np.arange(200) < 100, "mixed", np.where(labels == 1, "a", "b"))
    assert 0.7 < auroc_of_attribute(half, labels) < 0.9
