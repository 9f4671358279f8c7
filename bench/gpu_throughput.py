"""Images a second of the training program, where the time goes, and what the data path has to deliver.

    python bench/gpu_throughput.py [--network densenet121] [--size 224] [--batch-size 256] [--steps 60]
                                   [--precision bfloat16] [--images 4096] [--json]

Runs the training loop itself on random pixels in a memory-mapped file, on the GPU if there is one. Without
one it says so and takes a small setting, which shows that the script works and nothing about a GPU.

"whole" is the loop: pixels from the file, augmentation, forward, backward, update. The parts are timed alone:
"data" brings augmented batches to the device and does nothing with them, "compute" trains on one batch that
lies there, "update" is the optimizer's and the moving average's part of it. When data alone is slower than
compute alone, the device waits for it.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from isocenter.domain.dataset import DatasetVersion, Split
from isocenter.domain.training_plan import TrainingPlan, load_plan, parse_plan
from isocenter_training.batches import Batch, Images, TrainingBatches
from isocenter_training.checkpoint import TrainingState
from isocenter_training.contract import RunContext
from isocenter_training.distributed import Group
from isocenter_training.hardware import Hardware, cores_to_use, prepare_hardware
from isocenter_training.metrics_log import MetricsLog
from isocenter_training.precision import resolve_precision
from isocenter_training.progress import Silent
from isocenter_training.signals import StopSignal
from isocenter_training.trainer import Trainer, build_trainer
from isocenter_training.training_loop import Surroundings, TrainingLoop
from isocenter_training.weights import Weights

SMALL = {"size": 64, "batch_size": 16, "steps": 6, "images": 128}
LARGE = {"size": 224, "batch_size": 256, "steps": 60, "images": 4096}


@dataclass(frozen=True)
class RandomDataset:
    """As much of a dataset as training reads: random pixels, every tenth image for validation."""

    path: Path
    images: int

    @property
    def version(self) -> DatasetVersion:
        return DatasetVersion("sha256:" + "0" * 64, ("normal", "pneumonia"), self.images, self.images)

    def pixels(self, size: int) -> np.ndarray:
        return np.load(self.path / f"{size}.npy", mmap_mode="r")

    def column(self, name: str) -> np.ndarray:
        return np.arange(self.images) // 10 % 2

    def rows(self, split: Split) -> np.ndarray:
        validation = np.arange(self.images) % 10 == 0
        return np.flatnonzero(validation if split == Split.VALIDATION else ~validation)


def write_dataset(folder: Path, images: int, size: int) -> RandomDataset:
    shape = (images, size, size)
    pixels = np.lib.format.open_memmap(folder / f"{size}.npy", mode="w+", dtype=np.uint16, shape=shape)
    random = np.random.default_rng(0)
    for row in pixels:
        row[:] = random.integers(0, 65_536, (size, size), dtype=np.uint16)
    pixels.flush()
    return RandomDataset(folder, images)


def make_plan(arguments: argparse.Namespace) -> TrainingPlan:
    steps_an_epoch = arguments.images * 9 // 10 // arguments.batch_size
    changes = {
        "network": {"name": arguments.network},
        "image_size": arguments.size,
        "precision": arguments.precision,
        "budget": {
            "epochs": 1 + -(-arguments.steps // steps_an_epoch),
            "batch_size": arguments.batch_size,
            "patience": 10**6,
        },
    }
    return parse_plan(load_plan("densenet121").model_dump(mode="json") | changes)


@dataclass(frozen=True)
class Bench:
    """What is measured, and on what."""

    trainer: Trainer
    dataset: RandomDataset
    hardware: Hardware
    steps: int

    @property
    def plan(self) -> TrainingPlan:
        return self.trainer.plan

    @property
    def precision(self) -> torch.dtype:
        return resolve_precision(self.plan, self.hardware.device)

    def images(self, split: Split) -> Images:
        return Images(self.dataset, split, self.plan.image_size, self.hardware.device)  # type: ignore[arg-type]

    def batches(self) -> TrainingBatches:
        return TrainingBatches(
            self.images(Split.TRAIN),
            self.trainer.build_augmentation(),
            batch_size=self.plan.budget.batch_size,
            seed=0,
            workers=self.hardware.readers,
        )

    def whole(self, folder: Path) -> float:
        """Images a second of the loop, its first epoch (warming up) left out."""
        surroundings = Surroundings(
            device=self.hardware.device,
            precision=self.precision,
            group=Group(0, 1),
            checkpoint_dir=folder,
            metrics=MetricsLog(folder / "metrics.jsonl"),
            reporter=Silent(),
            stop=StopSignal(),
        )
        state = TrainingState("bench")
        TrainingLoop(self.trainer, self.batches(), self.images(Split.VALIDATION), surroundings, state).run()
        counted = state.history[1:]
        return len(counted) / sum(1 / entry["images_per_second"] for entry in counted)

    def data(self) -> float:
        """Images a second of augmented batches brought to the device."""
        source = self._endless()
        return self._rate(lambda: next(source))

    def compute(self) -> tuple[float, float]:
        """Images a second of training on one batch; seconds of a step that are the update's."""
        device = self.hardware.device
        weights, loss = Weights(self.trainer, device), self.trainer.build_loss().to(device)
        batch = next(self._endless())

        def gradients() -> None:
            with torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32):
                value = self.trainer.training_step(weights.network, loss, batch.images, batch.labels)
            value.backward()

        def step() -> None:
            gradients()
            weights.update(10)

        weights.network.train()
        whole = self._rate(step)
        gradients()
        gradients_alone = self._rate(gradients)
        size = self.plan.budget.batch_size
        return whole, max(0.0, size / whole - size / gradients_alone)

    def _endless(self) -> "Any":
        batches, epoch = self.batches(), 0
        while True:
            yield from batches.epoch(epoch)
            epoch += 1

    def _rate(self, action: Callable[[], Batch | None]) -> float:
        for _ in range(3):
            action()
        self._wait()
        begin = time.perf_counter()
        for _ in range(self.steps):
            action()
        self._wait()
        return self.steps * self.plan.budget.batch_size / (time.perf_counter() - begin)

    def _wait(self) -> None:
        if self.hardware.device.type == "cuda":
            torch.cuda.synchronize()


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        context = RunContext("", {}, {}, folder, folder, folder)
        hardware = prepare_hardware(context, cores_to_use(context))
        dataset = write_dataset(folder, arguments.images, arguments.size)
        bench = Bench(build_trainer(make_plan(arguments)), dataset, hardware, arguments.steps)
        whole, data, (compute, update_s) = bench.whole(folder), bench.data(), bench.compute()
    batch, image_bytes = arguments.batch_size, 2 * arguments.size**2
    step_s = batch / compute
    return {
        "device": _name(hardware.device),
        "network": arguments.network,
        "size": arguments.size,
        "batch_size": batch,
        "precision": str(bench.precision).removeprefix("torch."),
        "readers": hardware.readers,
        "images_per_second": {"whole": whole, "data": data, "compute": compute},
        "milliseconds_a_step": {
            "whole": 1e3 * batch / whole,
            "data": 1e3 * batch / data,
            "forward_and_backward": 1e3 * (step_s - update_s),
            "update": 1e3 * update_s,
        },
        "compute_kept_busy": min(1.0, whole / compute),
        "data_must_deliver_images_per_second": compute,
        "data_must_deliver_megabytes_per_second": compute * image_bytes / 1e6,
    }


def _name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def show(result: dict[str, Any]) -> None:
    if result["device"] == "cpu":
        print("No GPU here: a small setting on the CPU, which says nothing about a GPU.")
    print(
        f"{result['network']}, {result['size']} x {result['size']}, batch {result['batch_size']},"
        f" {result['precision']}, on {result['device']}, {result['readers']} reading threads"
    )
    print(f"{'':24}{'ms a step':>10}{'images/s':>10}")
    for name, value in result["milliseconds_a_step"].items():
        print(
            f"{name.replace('_', ' '):24}{value:10.1f}{1e3 * result['batch_size'] / max(value, 1e-9):10.0f}"
        )
    print(f"compute kept busy: {result['compute_kept_busy']:.0%}")
    wanted, megabytes = (result[f"data_must_deliver_{unit}_per_second"] for unit in ("images", "megabytes"))
    print(
        f"to keep it busy the data path must deliver {wanted:.0f} images/s, {megabytes:.0f} MB/s of pixels;"
        f" alone it delivers {result['images_per_second']['data']:.0f} images/s"
    )


def main() -> int:
    defaults = LARGE if torch.cuda.is_available() else SMALL
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="densenet121")
    for name, value in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--precision", default="bfloat16", choices=("bfloat16", "float32", "auto"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    result = measure(arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        show(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
