"""Explanations and DICOM results of a real model on real DICOM."""

import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from PIL import Image

from isocenter.errors import InputError
from isocenter.imaging import read_prepared
from isocenter_serving import __version__
from isocenter_serving.answer import Prediction
from isocenter_serving.dicom_results import read_source, secondary_capture, structured_report
from isocenter_serving.explanation import as_png, occlusion_map, overlay
from isocenter_serving.predictor import Predictor
from isocenter_serving.verdict import Finding, Verdict


@pytest.fixture(scope="module")
def predictor(registered: Path) -> Predictor:
    return Predictor(registered, name="chest-xray", version=3)


@pytest.fixture(scope="module")
def tile(predictor: Predictor, files: list[Path]) -> Any:
    return read_prepared(files[0], predictor.bundle.preprocessing.image_size).tile


@pytest.fixture(scope="module")
def answer(predictor: Predictor, tile: Any) -> Prediction:
    (found,) = predictor.answer([tile])
    assert isinstance(found, Prediction)
    return found


def renamed(path: Path, change: Callable[[pydicom.Dataset], None] = lambda _: None) -> bytes:
    dataset = pydicom.dcmread(path)
    dataset.PatientName, dataset.PatientID = "CANARY^PATIENT", "CANARY-1"
    change(dataset)
    stream = io.BytesIO()
    dataset.save_as(stream)
    return stream.getvalue()


def test_hiding_what_matters_lowers_the_score() -> None:
    class CornerModel:
        """Scores the brightness of the upper left corner."""

        def score(self, tiles: Any) -> Any:
            return tiles[:, :20, :20].mean(axis=(1, 2)) / 65_535

    tile = np.full((96, 96), 20_000, dtype=np.uint16)
    tile[:20, :20] = 60_000
    drops = occlusion_map(CornerModel(), tile)  # type: ignore[arg-type]
    assert np.unravel_index(drops.argmax(), drops.shape) == (0, 0)
    assert drops[0, 0] > 0.4
    assert np.abs(drops[3:, 3:]).max() == 0
    picture = overlay(tile, drops)
    red, blue = picture[5, 5, 0], picture[5, 5, 2]
    assert red > blue
    assert (picture[80, 80] == picture[80, 80, 0]).all()


def test_a_model_that_looks_nowhere_is_not_tinted(tile: Any) -> None:
    picture = overlay(tile, np.full((8, 8), 1e-4))
    assert (picture[..., 0] == picture[..., 2]).all()


def test_the_picture_of_a_trained_model(predictor: Predictor, tile: Any) -> None:
    drops = occlusion_map(predictor, tile)
    assert drops.shape == (8, 8)
    assert np.isfinite(drops).all()
    picture = Image.open(io.BytesIO(as_png(overlay(tile, drops))))
    assert picture.size == tile.shape
    assert picture.mode == "RGB"


@pytest.mark.parametrize("abstains", [False, True])
def test_the_report_says_what_the_answer_says(files: list[Path], answer: Prediction, abstains: bool) -> None:
    finding = Finding("polarity", "Black and white may be exchanged in this image.", abstains)
    data = structured_report(read_source(renamed(files[0])), answer, Verdict((finding,)), version=__version__)
    report = highdicom.sr.srread(io.BytesIO(data))
    (group,) = report.content.get_image_measurement_groups()
    values = {each.name.value: each.value for each in group.get_measurements()}
    assert values.get("score") == (None if abstains else pytest.approx(answer.score, abs=1e-6))
    assert values["threshold"] == pytest.approx(answer.threshold, abs=1e-6)
    words = {each.name.value: each.value.value for each in group.get_qualitative_evaluations()}
    assert words == {"decision": "abstained" if abstains else answer.decision, "input": "polarity"}


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="LACKS: dciodvfy (Debian: dicom3tools)")
def test_results_conform_to_the_standard(files: list[Path], answer: Prediction, tmp_path: Path) -> None:
    source = read_source(renamed(files[0]))
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    made = {
        "report": structured_report(source, answer, Verdict(), version=__version__),
        "capture": secondary_capture(source, picture, answer),
    }
    for name, data in made.items():
        path = tmp_path / name
        path.write_bytes(data)
        told = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False)
        assert not re.findall("(?m)^Error.*", told.stderr + told.stdout)


def test_results_belong_to_the_patient_and_study_of_the_image(files: list[Path], answer: Prediction) -> None:
    data = renamed(files[0])
    source, original = read_source(data), pydicom.dcmread(io.BytesIO(data))
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    for made in (
        structured_report(source, answer, Verdict(), version=__version__),
        secondary_capture(source, picture, answer),
    ):
        result = pydicom.dcmread(io.BytesIO(made))
        assert result.PatientID == "CANARY-1"
        assert result.StudyInstanceUID == original.StudyInstanceUID
        assert result.SeriesInstanceUID != original.SeriesInstanceUID
        assert original.SOPInstanceUID not in (result.SOPInstanceUID, result.SeriesInstanceUID)


def test_a_repeat_has_the_same_uid_and_another_model_another(files: list[Path], answer: Prediction) -> None:
    source = read_source(renamed(files[0]))
    digest = answer.model.digest
    assert source.result_uid("sr", digest) == source.result_uid("sr", digest)
    assert len({source.result_uid(kind, each) for kind in ("sr", "sc") for each in (digest, "other")}) == 4


def test_the_capture_is_an_image_with_a_caption(files: list[Path], answer: Prediction) -> None:
    picture = np.full((300, 300, 3), 7, dtype=np.uint8)
    result = pydicom.dcmread(io.BytesIO(secondary_capture(read_source(renamed(files[0])), picture, answer)))
    assert result.Modality == "OT"
    assert result.pixel_array.shape[1:] == (300, 3)
    assert result.pixel_array[:300].max() == 7
    assert result.pixel_array[300:].max() > 200
    assert result.BurnedInAnnotation == "NO"


@pytest.mark.parametrize("keyword", ["StudyInstanceUID", "SeriesInstanceUID"])
def test_an_image_without_its_uids_gets_no_result(files: list[Path], keyword: str) -> None:
    with pytest.raises(InputError, match=keyword):
        read_source(renamed(files[0], lambda dataset: delattr(dataset, keyword)))


def test_a_header_that_cannot_be_used_is_not_quoted(files: list[Path], answer: Prediction) -> None:
    def spoil(dataset: pydicom.Dataset) -> None:
        with pydicom.config.disable_value_validation():
            dataset.PatientBirthDate = "CANARY BIRTH"
            dataset.StudyDate = "CANARYDATE"
            dataset.AccessionNumber = "CANARY" * 20

    source_bytes = renamed(files[0], spoil)
    try:
        structured_report(read_source(source_bytes), answer, Verdict(), version=__version__)
    except InputError as error:
        assert "CANARY" not in f"{error} {error.hint} {error.__cause__} {error.__context__ and ''}"


def test_what_is_withheld_is_not_shown(files: list[Path]) -> None:
    assert "CANARY" not in repr(read_source(renamed(files[0])))
