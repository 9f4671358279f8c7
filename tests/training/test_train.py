"""What a training leaves behind, and that the same training leaves the same."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnxruntime
import pytest
import torch

from isocenter.datasets import open_dataset
from isocenter.domain.digest import digest_tree
from isocenter.domain.training_plan import parse_plan
from isocenter.imaging import to_unit
from isocenter_training.bundle import load_network
from isocenter_training.bundle.metadata import SCHEMA


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_bundle_holds_every_file_of_the_contract(trained: Any) -> None:
    files = {
        path.relative_to(trained.model).as_posix() for path in trained.model.rglob("*") if path.is_file()
    }
    assert files == {
        "configs/metadata.json",
        "configs/inference.json",
        "configs/plan.json",
        "configs/preprocessing.json",
        "models/model.safetensors",
        "models/model.onnx",
        "docs/README.md",
        "reference_profile.json",
    }
    assert parse_plan(read_json(trained.model / "configs" / "plan.json")) == parse_plan(trained.plan)


def test_metadata_fits_the_schema_and_names_dataset_and_training(trained: Any) -> None:
    metadata = read_json(trained.model / "configs" / "metadata.json")
    jsonschema.validate(metadata, read_json(SCHEMA))
    assert metadata["dataset"]["digest"] == open_dataset(trained.dataset).version.digest
    assert metadata["training"]["validation_auroc"] == trained.summary["validation_auroc"]
    del metadata["dataset"]["digest"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(metadata, read_json(SCHEMA))


def test_network_learned_and_torch_and_onnx_agree_on_real_pixels(trained: Any) -> None:
    dataset = open_dataset(trained.dataset)
    rows = dataset.rows("test")
    images = to_unit(np.asarray(dataset.pixels(32)[rows]))[:, None]
    session = onnxruntime.InferenceSession(trained.model / "models" / "model.onnx")
    exported = session.run(["logit"], {"image": images})[0]
    with torch.inference_mode():
        logits = load_network(trained.model)(torch.from_numpy(images)).numpy()
    assert exported.shape == (len(rows), 1)
    np.testing.assert_allclose(exported, logits, atol=1e-4, rtol=1e-4)
    positive = dataset.column("label")[rows] == 1
    assert logits[positive].min() > logits[~positive].max()


def test_onnx_takes_any_batch_size_and_names_no_place_on_this_machine(trained: Any) -> None:
    path = trained.model / "models" / "model.onnx"
    session = onnxruntime.InferenceSession(path)
    for count in (1, 3):
        image = np.zeros((count, 1, 32, 32), np.float32)
        assert session.run(None, {"image": image})[0].shape == (count, 1)
    assert b"site-packages" not in path.read_bytes()
    assert str(Path.home()).encode() not in path.read_bytes()


def test_metrics_hold_a_line_an_epoch_and_name_the_best(trained: Any) -> None:
    metrics = trained.metrics
    assert [line["epoch"] for line in metrics] == [1, 2, 3, 4]
    assert set(metrics[0]) == {
        "epoch",
        "loss",
        "validation_auroc",
        "validation_loss",
        "learning_rate",
        "seconds",
        "images_per_second",
    }
    best = max(metrics, key=lambda line: (line["validation_auroc"], -line["validation_loss"]))
    assert trained.summary["best_epoch"] == best["epoch"]
    assert metrics[-1]["loss"] < metrics[0]["loss"]


def test_exported_weights_are_those_of_the_best_epoch(new_job: Callable[..., Any]) -> None:
    """A learning rate that destroys the network after the first epochs doesn't reach the bundle."""
    job = new_job(optimizer={"name": "sgd", "learning_rate": 0.3}, budget={"epochs": 5, "batch_size": 8})
    assert job.run() == 0
    dataset = open_dataset(job.dataset)
    rows = dataset.rows("validation")
    images = torch.from_numpy(to_unit(np.asarray(dataset.pixels(32)[rows]))[:, None])
    labels = torch.from_numpy(dataset.column("label")[rows].astype(np.float32))
    with torch.inference_mode():
        logits = load_network(job.model)(images)[:, 0]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
    best = job.metrics[job.summary["best_epoch"] - 1]
    assert float(loss) == pytest.approx(best["validation_loss"], rel=1e-3)


def test_same_training_elsewhere_gives_the_same_bytes(trained: Any, new_job: Callable[..., Any]) -> None:
    job = new_job("elsewhere")
    assert job.run() == 0
    assert digest_tree(job.model) == digest_tree(trained.model)


def test_another_seed_gives_other_weights(trained: Any, new_job: Callable[..., Any]) -> None:
    job = new_job(seed=7, budget={"epochs": 1})
    assert job.run() == 0
    weights = "models/model.safetensors"
    assert (job.model / weights).read_bytes() != (trained.model / weights).read_bytes()


def test_finished_training_is_exported_again_without_a_step(
    trained: Any, new_job: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    job = new_job("again")
    shutil.copytree(trained.root, job.root)
    shutil.rmtree(job.model)
    job.model.mkdir()
    (job.model / ".tmp-left-by-a-killed-export").write_bytes(b"half")
    assert job.run() == 0
    assert digest_tree(job.model) == digest_tree(trained.model)
    assert job.metrics == trained.metrics
    assert "progress" not in capsys.readouterr().out


def test_progress_is_json_on_standard_output_and_text_on_standard_error(
    new_job: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert new_job(budget={"epochs": 2, "batch_size": 16}).run() == 0
    output = capsys.readouterr()
    events = [json.loads(line) for line in output.out.splitlines()]
    assert events[-1]["done"] == events[-1]["total"] == 4
    assert events[-1]["eta_s"] == 0
    assert {"event": "progress", "stage": "train", "unit": "step", "epochs": 2}.items() <= events[-1].items()
    assert "40 training and 16 validation images" in output.err


def test_early_stopping_after_epochs_without_progress(new_job: Callable[..., Any]) -> None:
    constant = {"name": "sgd", "learning_rate": 1e-12}
    job = new_job(
        optimizer=constant, budget={"epochs": 50, "batch_size": 40, "patience": 3}, normalisation="none"
    )
    assert job.run() == 0
    assert len(job.metrics) == job.summary["best_epoch"] + 3 < 50


def test_training_ends_at_the_target_score(new_job: Callable[..., Any]) -> None:
    job = new_job(budget={"epochs": 50, "batch_size": 8, "target_auroc": 0.9})
    assert job.run() == 0
    scores = [line["validation_auroc"] for line in job.metrics]
    assert scores[-1] >= 0.9 > max(scores[:-1], default=0)
    assert len(scores) < 50


def test_float32_and_bfloat16_both_learn(new_job: Callable[..., Any]) -> None:
    for precision in ("float32", "bfloat16"):
        job = new_job(precision, precision=precision)
        assert job.run() == 0
        assert job.summary["precision"] == precision
        assert job.summary["validation_auroc"] > 0.9
