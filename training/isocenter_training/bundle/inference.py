"""configs/inference.json and preprocessing.json: how a bundle is run, by MONAI or by anything else.

    python -m monai.bundle run run --config_file configs/inference.json --bundle_root . --files "['a.dcm']"

prints a logit for each file. It needs ``isocenter-training`` and, for MONAI's command line, ``fire``.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.domain.training_plan import TrainingPlan

if TYPE_CHECKING:
    from torch import Tensor


class ReadRadiograph:
    """A transform for a MONAI Compose: a DICOM file to float32 [1, size, size] in 0..1.

    Args:
        size: rows and columns of the network's input.
    """

    def __init__(self, size: int) -> None:
        self._size = size

    def __call__(self, source: Path | str) -> "Tensor":
        """Read one file.

        Raises:
            isocenter.imaging.Refused: it is no radiograph that can be used.
        """
        import torch

        from isocenter.imaging import prepare, read_radiograph, to_unit

        pixels = read_radiograph(Path(source)).pixels
        return torch.from_numpy(to_unit(prepare(pixels, self._size)))[None]


def preprocessing_config(plan: TrainingPlan) -> dict[str, Any]:
    """What happens to a file's pixels before the network sees them. ``isocenter.imaging`` does all of it."""
    return {
        "image_size": plan.image_size,
        "reader": "isocenter.imaging.read_radiograph",
        "polarity": "white is dense",
        "letterbox": True,
        "resampling": "antialiased bilinear",
        "bits": 16,
        "value_range": [0.0, 1.0],
        "normalisation": plan.normalisation,
        "normalisation_is_in_network": True,
    }


def inference_config(plan: TrainingPlan) -> dict[str, Any]:
    """A MONAI config: ``run`` prints a logit for each of ``files``; ``network_def`` is trained."""
    package = "isocenter_training.bundle"
    return {
        "imports": ["$import torch"],
        "bundle_root": ".",
        "files": [],
        "device": "$torch.device('cuda' if torch.cuda.is_available() else 'cpu')",
        "network_def": {"_target_": f"{package}.load_network", "bundle_dir": "@bundle_root"},
        "network": "$@network_def.to(@device)",
        "preprocessing": {
            "_target_": "Compose",
            "transforms": [{"_target_": f"{package}.ReadRadiograph", "size": plan.image_size}],
        },
        "dataset": {"_target_": "Dataset", "data": "@files", "transform": "@preprocessing"},
        "dataloader": {"_target_": "DataLoader", "dataset": "@dataset", "batch_size": 16, "num_workers": 0},
        "inferer": {"_target_": "SimpleInferer"},
        "logits": "$[z for x in @dataloader for z in @inferer(x.to(@device), @network)[:, 0].tolist()]",
        "run": ["$print(@logits)"],
    }
