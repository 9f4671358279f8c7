"""What the endpoint says about images that aren't like the training images."""

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from isocenter.errors import InputError
from isocenter.imaging import read_prepared
from isocenter_serving.features import COUNTED, MEASURED, Features, features_of
from isocenter_serving.reference import Reference, read_reference
from isocenter_serving.verdict import Verdict, judge


@pytest.fixture(scope="module")
def reference(registered: Path) -> Reference:
    return read_reference(registered)


@pytest.fixture(scope="module")
def size(registered: Path) -> int:
    found: int = json.loads((registered / "configs" / "preprocessing.json").read_text())["image_size"]
    return found


def describe(source: Path | bytes, size: int) -> Features:
    image = read_prepared(source, size)
    return features_of(image.tile, image.attributes)


def changed(path: Path, change: Callable[[pydicom.Dataset], None]) -> bytes:
    dataset = pydicom.dcmread(path)
    change(dataset)
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def codes(verdict: Verdict) -> set[str]:
    return {finding.code for finding in verdict.findings}


def test_images_of_the_same_source_are_scored(files: list[Path], reference: Reference, size: int) -> None:
    abstained = [judge(describe(path, size), reference).abstains for path in files]
    assert sum(abstained) <= len(files) // 20


def test_another_part_of_the_body_abstains(files: list[Path], reference: Reference, size: int) -> None:
    hand = changed(files[0], lambda dataset: setattr(dataset, "BodyPartExamined", "HAND"))
    verdict = judge(describe(hand, size), reference)
    assert "not-a-chest" in codes(verdict)
    assert verdict.abstains


def test_an_unusual_name_for_the_chest_does_not(files: list[Path], reference: Reference, size: int) -> None:
    named = changed(files[0], lambda dataset: setattr(dataset, "BodyPartExamined", "THORAX FRONTAL"))
    verdict = judge(describe(named, size), reference)
    assert "unseen-body-part" in codes(verdict)
    assert not verdict.abstains


def test_a_lateral_view_abstains(files: list[Path], reference: Reference, size: int) -> None:
    lateral = changed(files[0], lambda dataset: setattr(dataset, "ViewPosition", "LL"))
    assert "wrong-view" in codes(judge(describe(lateral, size), reference))


def test_exchanged_black_and_white_is_suspected(files: list[Path], reference: Reference, size: int) -> None:
    other = {"MONOCHROME1": "MONOCHROME2", "MONOCHROME2": "MONOCHROME1"}

    def invert(dataset: pydicom.Dataset) -> None:
        dataset.PhotometricInterpretation = other[dataset.PhotometricInterpretation]
        if "PresentationLUTShape" in dataset:
            del dataset.PresentationLUTShape

    found = [
        codes(judge(describe(changed(path, invert), size), reference)) & {"polarity", "far-from-reference"}
        for path in files
    ]
    assert sum(map(bool, found)) >= 0.8 * len(files)


@pytest.mark.parametrize("level", [0, 30_000, 65_535])
def test_an_empty_image_is_far(reference: Reference, size: int, level: int) -> None:
    flat = np.full((size, size), level, dtype=np.uint16)
    verdict = judge(features_of(flat, None), reference)
    assert "far-from-reference" in codes(verdict)
    json.dumps(verdict.as_json(), allow_nan=False)


def test_features_are_those_of_the_profile_and_name_nobody(
    files: list[Path], registered: Path, size: int
) -> None:
    def name_everything(dataset: pydicom.Dataset) -> None:
        dataset.PatientName, dataset.PatientID = "CANARY^PATIENT", "CANARY-1"
        dataset.AccessionNumber, dataset.StudyDescription = "CANARY-2", "CANARY"
        dataset.ManufacturerModelName = "CANARY PATIENT"

    profile = json.loads((registered / "reference_profile.json").read_text())
    found = describe(changed(files[0], name_everything), size).as_json()
    assert set(found["attributes"]) == {*COUNTED, "age_band"} == set(profile["attributes"])
    assert set(found["measurements"]) == set(MEASURED) == set(profile["measurements"])
    assert set(found["statistics"]) == set(profile["image_statistics"])
    assert len(found["intensity"]) == len(profile["intensity"]["shares"])
    assert "CANARY" not in json.dumps(found)


def test_a_bundle_without_a_profile_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"reference_profile\.json"):
        read_reference(tmp_path)
    (tmp_path / "reference_profile.json").write_text('{"images": "many"}')
    with pytest.raises(InputError, match="images"):
        read_reference(tmp_path)
