"""The Predictor on a real bundle and real DICOM."""

import io
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
import pytest
from serving_program import running

from isocenter.domain.digest import digest_tree
from isocenter.domain.evaluation import Decision
from isocenter.errors import InputError, IntegrityError, IsocenterError
from isocenter.imaging import pixel_digest, prepare, read_radiograph
from isocenter_serving.answer import Prediction, Refusal
from isocenter_serving.predictor import Predictor

CONVERTER = "bin/cxr_to_dicom.py"


@pytest.fixture(scope="module")
def predictor(registered: Path) -> Predictor:
    return Predictor(registered, name="cxr", version=3, threads=1)


def test_answers_as_it_was_evaluated(
    predictor: Predictor, trained: Any, registered: Path, files: list[Path], chain: ModuleType, tmp_path: Path
) -> None:
    """Every validation and test image again, from the file: the score in predictions.parquet."""
    everything = sorted(trained.source.glob("*.dcm"))
    compare_with_evaluation(predictor, everything, chain.evaluate(tmp_path, trained, cases=0))


def compare_with_evaluation(predictor: Predictor, files: list[Path], output: Path) -> None:
    recorded = {
        row["pixel_digest"]: row for row in parquet.read_table(output / "predictions.parquet").to_pylist()
    }
    decision = Decision.model_validate_json((output / "decision.json").read_bytes())
    compared = 0
    for path, answer in zip(files, predictor.predict(files), strict=True):
        row = recorded.get(pixel_digest(read_radiograph(path).pixels))
        if row is None:
            continue  # a training image
        assert isinstance(answer, Prediction)
        assert answer.score == pytest.approx(row["score"], abs=1e-5)
        assert answer.decision == decision.classes[int(row["score"] >= decision.threshold)]
        assert answer.threshold == decision.threshold
        compared += 1
    assert compared == len(recorded)


def test_no_skew_between_training_and_serving_on_three_scanners(
    shared_data: Path, chain: ModuleType, tmp_path: Path
) -> None:
    """Real X-rays as MONOCHROME1 and 2, 10 to 14 bits, uncompressed, JPEG-LS and RLE: through the dataset's
    pixel cache and through the Predictor."""
    import pydicom

    archive = shared_data / "cxr" / "chest_xray_224_train.tar"
    subprocess.run(
        [sys.executable, str(shared_data.parent / CONVERTER), str(archive), str(tmp_path / "real"),
         "--count", "90", "--size", "200"],
        check=True, capture_output=True,
    )  # fmt: skip
    source = tmp_path / "real" / "dicom"
    files = sorted(source.glob("*.dcm"))
    headers = [pydicom.dcmread(path, stop_before_pixels=True) for path in files]
    assert len({header.ManufacturerModelName for header in headers}) == 3
    assert len({header.file_meta.TransferSyntaxUID for header in headers}) == 3
    dataset = chain.ingest_folder(tmp_path / "store", source, tmp_path / "real" / "labels.csv")
    trained = chain.train(tmp_path / "train", source, dataset, epochs=1)
    output = chain.evaluate(tmp_path / "evaluation", trained, cases=0)
    bundle = chain.assemble(tmp_path / "bundle", trained.model_dir, output)
    compare_with_evaluation(Predictor(bundle, batch_size=7), files, output)
    with running(tmp_path / "log", bundle, "--workers", 1) as program:
        said = [program.predict(path.read_bytes()).json() for path in files]
    decided = 0
    for answer, direct in zip(said, Predictor(bundle).predict(files), strict=True):
        assert isinstance(direct, Prediction)
        if answer["reasons"]:  # the model abstains, and the score is withheld
            assert answer["score"] is None
            continue
        assert answer["score"] == pytest.approx(direct.score, abs=1e-5)
        decided += 1
    assert decided > len(files) / 2


def test_bytes_and_streams_are_answered_like_files(predictor: Predictor, files: list[Path]) -> None:
    data = files[0].read_bytes()
    first, second, third = predictor.predict([files[0], data, io.BytesIO(data)])
    assert first == second == third


def test_batch_size_and_company_do_not_matter(registered: Path, files: list[Path]) -> None:
    alone = [next(Predictor(registered, batch_size=1).predict([path])) for path in files[:5]]
    together = list(Predictor(registered, batch_size=64).predict(files))[:5]
    for one, other in zip(alone, together, strict=True):
        assert one.score == pytest.approx(other.score, abs=1e-6)


def test_threads_may_share_it(predictor: Predictor, files: list[Path]) -> None:
    expected = list(predictor.predict(files))
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: list(predictor.predict(files)), range(8)):
            assert found == expected


def test_answers_come_in_order_and_as_they_get_done(registered: Path, files: list[Path]) -> None:
    asked = []

    def sources() -> Any:
        for number, path in enumerate(files):
            asked.append(number)
            yield b"no DICOM" if number % 3 == 0 else path

    answers = Predictor(registered, batch_size=4).predict(sources())
    first = next(answers)
    assert isinstance(first, Refusal)
    assert len(asked) == 4  # a folder of any size needs the memory of one batch
    kinds = [isinstance(answer, Refusal) for answer in (first, *answers)]
    assert kinds == [number % 3 == 0 for number in range(len(files))]


def test_refusals_say_why_without_saying_who(predictor: Predictor, files: list[Path], tmp_path: Path) -> None:
    cut = tmp_path / "CANARY.dcm"
    cut.write_bytes(files[0].read_bytes()[:-500])
    (tmp_path / "CANARY-empty").touch()
    answers = list(predictor.predict([cut, tmp_path / "CANARY-empty", tmp_path / "CANARY-absent", tmp_path]))
    assert all(isinstance(answer, Refusal) for answer in answers)
    assert [answer.reason for answer in answers][1:] == ["empty-file", "unreadable", "unreadable"]
    assert not [answer for answer in answers if "CANARY" in str(answer.as_json())]


def test_the_model_is_named_in_each_answer(predictor: Predictor, registered: Path, files: list[Path]) -> None:
    answer = next(predictor.predict(files[:1])).as_json()
    assert (answer["model"], answer["version"], answer["digest"]) == ("cxr", 3, digest_tree(registered))


def test_the_threshold_belongs_to_the_positive_class(predictor: Predictor) -> None:
    threshold = predictor.bundle.decision.threshold
    assert predictor.decide(threshold).decision == "pneumonia"
    assert predictor.decide(np.nextafter(threshold, 0)).decision == "normal"
    assert predictor.decide(float("nan")) == Refusal(
        "no-finite-score", "The model gives no finite score for this image."
    )


def test_scores_are_calibrated(registered: Path, bundle: Path, files: list[Path]) -> None:
    path = bundle / "configs" / "decision.json"
    decision = Decision.model_validate_json(path.read_bytes())
    hot = decision.model_copy(update={"temperature": decision.temperature * 3})
    path.write_text(hot.model_dump_json())
    for cold, warm in zip(
        Predictor(registered).predict(files), Predictor(bundle).predict(files), strict=True
    ):
        odds = [np.log(answer.score / (1 - answer.score)) for answer in (cold, warm)]
        assert odds[0] == pytest.approx(3 * odds[1], abs=1e-4)


def test_decode_gives_the_tile_of_the_dataset(predictor: Predictor, files: list[Path]) -> None:
    tile = predictor.decode(files[0])
    assert np.array_equal(tile, prepare(read_radiograph(files[0]).pixels, 32))


def test_needs_no_training_package(registered: Path, files: list[Path]) -> None:
    """The serving container holds neither torch nor pandas nor the training program."""
    code = (
        "import sys; from pathlib import Path; from isocenter_serving.predictor import Predictor;"
        f"list(Predictor(Path({str(registered)!r})).predict([Path({str(files[0])!r})]));"
        "print(sorted({'torch', 'monai', 'pandas', 'pyarrow', 'sqlalchemy', 'isocenter_training'} "
        "& set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_expected_digest_is_checked(registered: Path) -> None:
    Predictor(registered, expected_digest=digest_tree(registered))
    with pytest.raises(IntegrityError, match="files changed"):
        Predictor(registered, expected_digest="sha256:" + "0" * 64)


@pytest.mark.parametrize("name", ["models/model.onnx", "configs/decision.json", "reference_profile.json"])
@pytest.mark.parametrize("change", ["flip a bit", "append", "remove", "add"])
def test_any_change_of_the_files_is_noticed(bundle: Path, name: str, change: str) -> None:
    digest, path = digest_tree(bundle), bundle / name
    data = bytearray(path.read_bytes())
    if change == "flip a bit":
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    elif change == "append":
        path.write_bytes(data + b"\n")
    elif change == "remove":
        path.unlink()
    else:
        path.with_name("more").touch()
    with pytest.raises(IntegrityError, match="files changed"):
        Predictor(bundle, expected_digest=digest)


@pytest.mark.parametrize("name", ["models/model.onnx", "configs/decision.json", "configs/preprocessing.json"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(InputError, match=f"lacks {name}"):
        Predictor(bundle)


@pytest.mark.parametrize(
    ("name", "content", "kind", "text"),
    [
        ("models/model.onnx", "no model", IntegrityError, "can't be loaded"),
        ("configs/decision.json", "{", InputError, "can't be read"),
        ("configs/decision.json", "[]", InputError, "is wrong: the whole must be"),
        ("configs/decision.json", '{"temperature": 1, "threshold": 2, "rule": ""}', InputError, "threshold"),
        (
            "configs/decision.json",
            '{"temperature": 0, "threshold": 0, "rule": ""}',
            InputError,
            "temperature",
        ),
        ("configs/preprocessing.json", '{"image_size": 48}', IntegrityError, "doesn't fit"),
        ("configs/preprocessing.json", '{"image_size": 1000000}', InputError, "image_size"),
        ("configs/preprocessing.json", '{"image_size": 32, "letterbox": false}', InputError, "letterbox"),
        ("configs/preprocessing.json", '{"image_size": 32, "bits": 8}', InputError, "bits"),
    ],
)
def test_a_bundle_that_can_not_be_served_is_refused(
    bundle: Path, name: str, content: str, kind: type[IsocenterError], text: str
) -> None:
    (bundle / name).write_text(content)
    with pytest.raises(kind, match=text):
        Predictor(bundle)


def test_links_are_refused(bundle: Path) -> None:
    (bundle / "configs" / "more.json").symlink_to("/etc/hostname")
    with pytest.raises(IntegrityError, match="symbolic link"):
        Predictor(bundle)


def test_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        Predictor(tmp_path / "absent")


def test_a_network_of_other_names_is_refused(bundle: Path) -> None:
    import onnx

    path = bundle / "models" / "model.onnx"
    model = onnx.load(path)
    model.graph.output[0].name = "other"
    for node in model.graph.node:
        node.output[:] = ["other" if name == "logit" else name for name in node.output]
    onnx.save(model, path)
    with pytest.raises(IntegrityError, match="doesn't fit"):
        Predictor(bundle)


def test_a_copy_of_the_bundle_answers_the_same(
    predictor: Predictor, registered: Path, files: list[Path], tmp_path: Path
) -> None:
    shutil.copytree(registered, tmp_path / "copy")
    other = Predictor(tmp_path / "copy", name="cxr", version=3, threads=1)
    assert list(other.predict(files[:3])) == list(predictor.predict(files[:3]))
