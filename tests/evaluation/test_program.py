"""The evaluate program on a real training output: what it writes, what it depends on, how it fails."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from isocenter.datasets import open_dataset
from isocenter.domain.digest import digest_tree
from isocenter.domain.evaluation import Decision, EvaluationReport
from isocenter.errors import InputError, IntegrityError, IsocenterError

FILES = ("decision.json", "evaluation.json", "predictions.parquet", "report.html")


def read_report(output: Path) -> EvaluationReport:
    return EvaluationReport.model_validate_json((output / "evaluation.json").read_bytes())


def test_writes_what_it_promises(evaluated: Path, trained: Any) -> None:
    assert sorted(path.name for path in evaluated.iterdir()) == sorted(FILES)
    report = read_report(evaluated)
    assert report.dataset_digest == trained.dataset.version.digest
    assert report.bundle_digest == digest_tree(trained.model_dir)
    assert report.decision == Decision.model_validate_json((evaluated / "decision.json").read_bytes())
    assert report.decision.classes == ("normal", "pneumonia")


def test_metrics_are_those_of_the_predictions(evaluated: Path, trained: Any) -> None:
    """Recomputed from predictions.parquet and the manifest alone."""
    report, table = read_report(evaluated), parquet.read_table(evaluated / "predictions.parquet")
    assert table.schema.names == ["pixel_digest", "split", "label", "logit", "score"]
    rows = {row["pixel_digest"]: row for row in trained.dataset.table.to_pylist()}
    for row in table.to_pylist():
        assert (row["split"], row["label"]) == tuple(
            rows[row["pixel_digest"]][key] for key in ("split", "label")
        )
    assert table.num_rows == sum(row["split"] != "train" for row in rows.values())
    test = table.filter(pc.equal(table["split"], "test")).to_pydict()
    labels, logits = np.array(test["label"]), np.array(test["logit"])
    scores = 1 / (1 + np.exp(-logits / report.decision.temperature))
    assert scores == pytest.approx(np.array(test["score"]))
    called = scores >= report.decision.threshold
    expected = {
        "auroc": roc_auc_score(labels, scores),
        "auprc": average_precision_score(labels, scores),
        "accuracy": (called == labels).mean(),
        "sensitivity": called[labels == 1].mean(),
        "specificity": (~called)[labels == 0].mean(),
        "brier": ((scores - labels) ** 2).mean(),
    }
    for name, value in expected.items():
        estimate = report.metrics[name]
        assert estimate.value == pytest.approx(value, abs=1e-6)
        assert estimate.low <= estimate.value <= estimate.high
    assert report.confusion == {
        "tp": (called & (labels == 1)).sum(),
        "fp": (called & (labels == 0)).sum(),
        "tn": (~called & (labels == 0)).sum(),
        "fn": (~called & (labels == 1)).sum(),
    }


def test_slices_part_the_test_images(evaluated: Path, trained: Any) -> None:
    report = read_report(evaluated)
    test = trained.dataset.table.filter(pc.equal(trained.dataset.table["split"], "test")).to_pylist()
    for attribute in ("sex", "age_band", "scanner", "view"):
        parts = [part for part in report.slices if part.attribute == attribute]
        assert {part.value for part in parts} == {row[attribute] for row in test}
        assert sum(part.images for part in parts) == report.images == len(test)
        for part in parts:
            rows = [row for row in test if row[attribute] == part.value]
            sides = [{row["patient_key"] for row in rows if row["label"] == label} for label in (0, 1)]
            assert part.patients == len(sides[0] | sides[1])
            assert part.too_small == (min(map(len, sides)) < 3)
            assert bool(part.metrics) != part.too_small
    assert {part.too_small for part in report.slices} == {True, False}


def test_same_inputs_give_the_same_bytes(
    chain: ModuleType, trained: Any, evaluated: Path, tmp_path: Path
) -> None:
    again = chain.evaluate(tmp_path, trained)
    for name in FILES:
        assert (again / name).read_bytes() == (evaluated / name).read_bytes(), name


def test_another_store_gives_the_same_bytes(
    chain: ModuleType, trained: Any, evaluated: Path, tmp_path: Path
) -> None:
    """Other folder, other file names, other site secret: other pseudonyms, the same report."""
    source = tmp_path / "elsewhere"
    source.mkdir()
    for number, path in enumerate(sorted(trained.source.glob("*.dcm"), reverse=True)):
        shutil.copy(path, source / f"{number}")
    dataset = chain.ingest_folder(tmp_path / "store", source, trained.source / "labels.csv")
    assert set(dataset.column("patient_key")).isdisjoint(trained.dataset.column("patient_key"))
    other = chain.Trained(source, dataset, trained.model_dir)
    again = chain.evaluate(tmp_path / "evaluation", other)
    for name in FILES:
        assert (again / name).read_bytes() == (evaluated / name).read_bytes(), name


def with_labels(trained: Any, folder: Path, change: Callable[[dict[str, Any]], int]) -> Path:
    """A copy of the dataset with other labels."""
    shutil.copytree(trained.dataset.path, folder)
    table = trained.dataset.table
    labels = pa.array([change(row) for row in table.to_pylist()], pa.int8())
    position = table.schema.get_field_index("label")
    parquet.write_table(table.set_column(position, "label", labels), folder / "manifest.parquet")
    return folder


def test_decision_depends_on_validation_only(
    chain: ModuleType, trained: Any, evaluated: Path, tmp_path: Path
) -> None:
    def flipped(split: str) -> Path:
        path = with_labels(
            trained,
            tmp_path / split / "dataset",
            lambda row: 1 - row["label"] if row["split"] == split else row["label"],
        )
        changed = chain.Trained(trained.source, open_dataset(path), trained.model_dir)
        return chain.evaluate(tmp_path / split / "evaluation", changed)

    test = flipped("test")
    assert (test / "decision.json").read_bytes() == (evaluated / "decision.json").read_bytes()
    assert read_report(test).metrics["auroc"].value < 0.5 < read_report(evaluated).metrics["auroc"].value
    validation = flipped("validation")
    assert (validation / "decision.json").read_bytes() != (evaluated / "decision.json").read_bytes()


def test_least_sensitivity_is_kept_on_validation(chain: ModuleType, trained: Any, tmp_path: Path) -> None:
    output = chain.evaluate(tmp_path, trained, threshold_rule="sensitivity>=0.99")
    table = parquet.read_table(output / "predictions.parquet").to_pylist()
    positives = [row["score"] for row in table if row["split"] == "validation" and row["label"] == 1]
    decision = read_report(output).decision
    assert min(positives) >= decision.threshold
    assert decision.rule == "sensitivity>=0.99 on validation images"


def test_holds_nothing_that_identifies_a_person(evaluated: Path, trained: Any) -> None:
    table = trained.dataset.table
    keys = {key for name in ("image_key", "study_key", "patient_key") for key in table[name].to_pylist()}
    for name in FILES:
        content = (evaluated / name).read_bytes()
        assert b"CANARY" not in content
        assert not [key for key in keys if key.encode() in content]


def one_class(split: str) -> Callable[[dict[str, Any]], int]:
    return lambda row: 1 if row["split"] == split else row["label"]


def test_test_images_of_one_class_leave_metrics_undefined(
    chain: ModuleType, trained: Any, tmp_path: Path
) -> None:
    path = with_labels(trained, tmp_path / "dataset", one_class("test"))
    output = chain.evaluate(
        tmp_path / "evaluation", chain.Trained(path, open_dataset(path), trained.model_dir)
    )
    report = read_report(output)
    assert report.metrics["auroc"].value is None
    assert report.metrics["sensitivity"].value is not None
    assert all(part.too_small for part in report.slices)
    assert "an unknown number" in (output / "report.html").read_text()


@pytest.fixture
def broken(chain: ModuleType, trained: Any, tmp_path: Path) -> Any:
    """A copy of the training output to break."""
    shutil.copytree(trained.model_dir, tmp_path / "broken")
    return chain.Trained(trained.source, trained.dataset, tmp_path / "broken")


def check_failure(chain: ModuleType, case: Any, folder: Path, kind: type[IsocenterError], text: str) -> None:
    with pytest.raises(kind, match=text):
        chain.evaluate(folder / "evaluation", case)
    assert not list((folder / "evaluation" / "output").iterdir())


@pytest.mark.parametrize("name", ["configs/plan.json", "configs/preprocessing.json", "models/model.onnx"])
def test_missing_file_of_the_bundle(chain: ModuleType, broken: Any, tmp_path: Path, name: str) -> None:
    (broken.model_dir / name).unlink()
    check_failure(chain, broken, tmp_path, InputError, f"lacks {name}")


def test_damaged_network(chain: ModuleType, broken: Any, tmp_path: Path) -> None:
    (broken.model_dir / "models" / "model.onnx").write_bytes(b"no model")
    check_failure(chain, broken, tmp_path, IntegrityError, "can't be loaded")


def test_network_that_gives_no_numbers(chain: ModuleType, broken: Any, tmp_path: Path) -> None:
    import onnx
    from onnx import numpy_helper

    path = broken.model_dir / "models" / "model.onnx"
    model = onnx.load(path)
    for tensor in model.graph.initializer:
        if len(tensor.dims) == 4:
            values = np.full(tuple(tensor.dims), np.nan, np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.save(model, path)
    check_failure(chain, broken, tmp_path, IntegrityError, "no finite logit")


def test_link_in_the_bundle(chain: ModuleType, broken: Any, tmp_path: Path) -> None:
    (broken.model_dir / "docs" / "more").symlink_to("/etc")
    check_failure(chain, broken, tmp_path, IntegrityError, "symbolic link")


def test_other_classes_than_the_bundle(chain: ModuleType, broken: Any, tmp_path: Path) -> None:
    path = broken.model_dir / "configs" / "plan.json"
    plan = json.loads(path.read_text())
    plan["task"]["classes"] = ["clear", "effusion"]
    path.write_text(json.dumps(plan))
    check_failure(chain, broken, tmp_path, InputError, "classes")


def test_tiles_of_another_size(chain: ModuleType, broken: Any, tmp_path: Path) -> None:
    path = broken.model_dir / "configs" / "preprocessing.json"
    path.write_text(path.read_text().replace('"image_size": 32', '"image_size": 48'))
    check_failure(chain, broken, tmp_path, InputError, "no pixels of size 48")


def test_validation_images_of_one_class(chain: ModuleType, trained: Any, tmp_path: Path) -> None:
    path = with_labels(trained, tmp_path / "dataset", one_class("validation"))
    case = chain.Trained(path, open_dataset(path), trained.model_dir)
    check_failure(chain, case, tmp_path, InputError, "validation images lack one of the classes")


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"threshold_rule": "best"}, "No threshold rule 'best'"),
        ({"bootstrap_replicates": 5}, "bootstrap_replicates"),
        ({"treshold_rule": "youden"}, "treshold_rule is no field here"),
    ],
)
def test_wrong_parameters(
    chain: ModuleType, trained: Any, tmp_path: Path, parameters: dict[str, Any], text: str
) -> None:
    with pytest.raises(InputError, match=text):
        chain.evaluate(tmp_path, trained, **parameters)


def run_program(inputs: dict[str, Path], root: Path) -> subprocess.CompletedProcess[str]:
    """``python -m isocenter_training evaluate`` as a backend starts it."""
    environment = os.environ | {f"ISOCENTER_INPUT_{name}": str(path) for name, path in inputs.items()}
    environment |= {f"ISOCENTER_{name}_DIR": str(root / name) for name in ("MODEL", "OUTPUT", "CHECKPOINT")}
    environment["ISOCENTER_PARAMETERS"] = json.dumps({"bootstrap_replicates": 100, "threads": 1, "cases": 0})
    return subprocess.run(
        [sys.executable, "-m", "isocenter_training", "evaluate"],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_as_a_process(trained: Any, tmp_path: Path) -> None:
    done = run_program({"DATASET": trained.dataset.path, "MODEL": trained.model_dir}, tmp_path)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(event["event"], event["stage"]) for event in events} == {("progress", "evaluate")}
    assert events[-1]["done"] == events[-1]["total"] > 0
    assert sorted(path.name for path in (tmp_path / "OUTPUT").iterdir()) == sorted(FILES)
    assert "data:image/jpeg" not in (tmp_path / "OUTPUT" / "report.html").read_text()


def test_failure_as_a_process(trained: Any, tmp_path: Path) -> None:
    done = run_program({"DATASET": trained.dataset.path}, tmp_path)
    assert done.returncode == 3
    assert "channel 'model'" in done.stderr.splitlines()[-1]
