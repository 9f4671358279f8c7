"""Writing the bundle. Each file appears whole; configs/metadata.json last, so it marks a complete bundle."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.domain.dataset import Split
from isocenter.domain.training_plan import TrainingPlan
from isocenter.storage import atomic
from isocenter_training.bundle.inference import inference_config, preprocessing_config
from isocenter_training.bundle.metadata import build_metadata
from isocenter_training.bundle.network import PLAN, WEIGHTS
from isocenter_training.bundle.onnx_export import check_onnx, export_onnx
from isocenter_training.bundle.provenance import Provenance
from isocenter_training.bundle.readme import render_readme

if TYPE_CHECKING:
    from torch import Tensor

    from isocenter.datasets import Dataset

_FOLDERS = ("configs", "models", "docs")
_PROFILE = "reference_profile.json"
_CHECKED_IMAGES = 16


def write_bundle(
    folder: Path,
    plan: TrainingPlan,
    dataset: "Dataset",
    weights: Mapping[str, "Tensor"],
    provenance: Provenance,
) -> dict[str, Any]:
    """Write the bundle of a finished training; what an earlier, interrupted export left is replaced.

    Args:
        folder: the job's model directory.
        plan: what was trained.
        dataset: on what.
        weights: state of the network.
        provenance: how.

    Returns:
        ``parameters``, the number of trained weights, and ``onnx_difference``, the largest difference of a
        logit between the ONNX model and torch on validation images.

    Raises:
        IntegrityError: the ONNX model doesn't compute what the network does; nothing is written.
    """
    from safetensors.torch import save

    from isocenter_training.reference_profile import build as build_reference_profile
    from isocenter_training.trainer import build_trainer

    network = build_trainer(plan).build_network()
    network.load_state_dict(dict(weights))
    model = export_onnx(network, plan.image_size)
    difference = check_onnx(model, network, _some_images(dataset, plan.image_size))
    metadata = build_metadata(plan, dataset.version, provenance)
    _clear(folder)
    tensors = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    atomic.write_bytes(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    atomic.write_bytes(folder / "models" / "model.onnx", model)
    atomic.write_bytes(
        folder / "docs" / "README.md", render_readme(plan, dataset.version, provenance).encode()
    )
    _write_json(folder / _PROFILE, build_reference_profile(dataset, plan.image_size))
    _write_json(folder / PLAN, plan.model_dump(mode="json"))
    _write_json(folder / "configs" / "preprocessing.json", preprocessing_config(plan))
    _write_json(folder / "configs" / "inference.json", inference_config(plan))
    _write_json(folder / "configs" / "metadata.json", metadata)
    return {"parameters": sum(p.numel() for p in network.parameters()), "onnx_difference": difference}


def _some_images(dataset: "Dataset", size: int) -> "Tensor":
    import torch

    from isocenter_training.batches import Images

    images = Images(dataset, Split.VALIDATION, size, torch.device("cpu"))
    return images.move(*images.read(images.rows[:_CHECKED_IMAGES])).images


def _clear(folder: Path) -> None:
    for name in _FOLDERS:
        shutil.rmtree(folder / name, ignore_errors=True)
    for left_over in (folder / _PROFILE, *folder.glob(".tmp-*")):
        left_over.unlink(missing_ok=True)


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    atomic.write_bytes(path, (text + "\n").encode())
