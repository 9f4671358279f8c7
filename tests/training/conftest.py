"""Small datasets that a network learns in seconds, and the training program as a service would start it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from numpy.typing import NDArray

from isocenter.datasets import manifest
from isocenter_training.__main__ import main

SIZE = 32
SHARES = {"train": 40, "validation": 16, "test": 8}


def plan(**changes: Any) -> dict[str, Any]:
    """A plan that takes about a second; ``changes`` replace whole fields."""
    return {
        "name": "tiny",
        "image_size": SIZE,
        "network": {"name": "resnet10", "arguments": {"widen_factor": 0.125, "conv1_t_stride": 2}},
        "augmentation": [
            {"name": "affine", "arguments": {"rotation": 5, "shift": 0.05}},
            {"name": "RandGaussianSmooth", "arguments": {"prob": 0.3}},
            {"name": "gamma", "arguments": {"strength": 0.2}},
        ],
        "optimizer": {"name": "adamw", "learning_rate": 0.005, "average_decay": 0.8},
        "budget": {"epochs": 4, "batch_size": 8},
    } | changes


def pictures(labels: NDArray[np.int8], seed: int) -> NDArray[np.uint16]:
    """Noise uint16 [N, SIZE, SIZE]; a positive picture has a bright square at a random place."""
    random = np.random.default_rng(seed)
    pixels = random.normal(25_000, 4_000, (len(labels), SIZE, SIZE))
    for picture, label in zip(pixels, labels, strict=True):
        top, left = random.integers(4, SIZE - 12, 2)
        picture[top : top + 8, left : left + 8] += 18_000 * int(label)
    return pixels.clip(0, 65_535).astype(np.uint16)


def write_dataset(
    folder: Path, *, shares: Mapping[str, int] = SHARES, one_class_in: Sequence[str] = (), seed: int = 1
) -> Path:
    """A dataset directory with tiles of SIZE x SIZE; each split alternates between the classes.

    Args:
        folder: is made.
        shares: images by split.
        one_class_in: splits that lack the positive class.
        seed: of the pictures.
    """
    splits = [name for name, count in shares.items() for _ in range(count)]
    labels = np.array([i % 2 and split not in one_class_in for i, split in enumerate(splits)], dtype=np.int8)
    rows = [
        _row(number, int(label), split)
        for number, (label, split) in enumerate(zip(labels, splits, strict=True))
    ]
    table = pa.Table.from_pylist(rows, schema=manifest.schema())
    (folder / "pixels").mkdir(parents=True)
    parquet.write_table(table, folder / manifest.FILE_NAME)
    np.save(folder / "pixels" / f"{SIZE}.npy", pictures(labels, seed))
    record = {
        "digest": manifest.content_digest(table, ("normal", "pneumonia")),
        "classes": ["normal", "pneumonia"],
        "images": len(rows),
        "patients": len(rows),
        "created_at": "2026-01-01T00:00:00Z",
        "created_by": "test",
    }
    (folder / "dataset.json").write_text(json.dumps(record))
    return folder


def _row(number: int, label: int, split: str) -> dict[str, Any]:
    texts = {column.name: "" for column in manifest.schema() if pa.types.is_string(column.type)}
    keys = {f"{kind}_key": f"{number:064x}" for kind in ("image", "study", "patient")}
    sizes = {"label": label, "bits_stored": 12, "rows": SIZE, "columns": SIZE}
    facts = {"pixel_digest": f"sha256:{number:064x}", "split": split, "sex": "F", "age_band": "18-39"}
    return (
        texts | keys | sizes | facts | {"age_years": 30, "scanner": "Acme DX", "view": "AP", "modality": "DX"}
    )


@dataclass(frozen=True)
class Job:
    """One training job with directories of its own."""

    root: Path
    dataset: Path
    plan: Mapping[str, Any] = field(default_factory=plan)
    threads: int | None = 1

    @property
    def model(self) -> Path:
        return self.root / "model"

    @property
    def checkpoint(self) -> Path:
        return self.root / "checkpoint"

    @property
    def metrics(self) -> list[dict[str, Any]]:
        return [
            json.loads(line) for line in (self.root / "output" / "metrics.jsonl").read_text().splitlines()
        ]

    @property
    def summary(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads((self.root / "output" / "summary.json").read_text())
        return value

    @property
    def environment(self) -> dict[str, str]:
        """The container contract's variables."""
        return {
            "ISOCENTER_RUN_ID": "run",
            "ISOCENTER_INPUT_DATASET": str(self.dataset),
            "ISOCENTER_PARAMETERS": json.dumps({"plan": self.plan, "threads": self.threads}),
            "ISOCENTER_MODEL_DIR": str(self.model),
            "ISOCENTER_OUTPUT_DIR": str(self.root / "output"),
            "ISOCENTER_CHECKPOINT_DIR": str(self.checkpoint),
        }

    def run(self) -> int:
        """The program in this process (torch is loaded once for all tests); returns its exit code."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.environment.items():
                patch.setenv(name, value)
            return main(["train"])

    def start(self, *launcher: str, **environment: str) -> "subprocess.Popen[str]":
        """The program as a process of its own, by default under this Python."""
        command = [*(launcher or (sys.executable,)), "-m", "isocenter_training", "train"]
        return subprocess.Popen(
            command,
            env=os.environ | self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @staticmethod
    def wait_for_step(process: "subprocess.Popen[str]", step: int) -> None:
        """Returns when the process has reported this step; fails if it ends before."""
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["done"] >= step:
                return
        pytest.fail(f"The program ended before step {step}: {process.communicate()[1]}")


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that a small network learns."""
    return write_dataset(tmp_path_factory.mktemp("dataset") / "dataset")


@pytest.fixture(scope="session")
def trained(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A finished training; not to be changed."""
    job = Job(tmp_path_factory.mktemp("trained"), dataset)
    assert job.run() == 0
    return job


@pytest.fixture(scope="session")
def longer(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A finished training of which there is time to stop another; not to be changed."""
    budget = {"epochs": 12, "batch_size": 4, "patience": 12}
    job = Job(tmp_path_factory.mktemp("longer"), dataset, plan(budget=budget))
    assert job.run() == 0
    return job


@pytest.fixture
def new_job(dataset: Path, tmp_path: Path) -> Callable[..., Job]:
    """Makes a job on the dataset; keywords change its plan."""

    def make(name: str = "job", *, threads: int | None = 1, **changes: Any) -> Job:
        return Job(tmp_path / name, dataset, plan(**changes), threads)

    return make


@pytest.fixture
def make_dataset(tmp_path: Path) -> Callable[..., Path]:
    """Writes further datasets: see :func:`write_dataset`."""

    def make(name: str, **options: Any) -> Path:
        return write_dataset(tmp_path / name, **options)

    return make
