"""configs/metadata.json: the MONAI Bundle specification's fields, and ours about dataset and training.

https://docs.monai.io/en/stable/mb_specification.html; checked against metadata.schema.json beside this file.
"""

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from isocenter.domain.dataset import DatasetVersion
from isocenter.domain.training_plan import TrainingPlan
from isocenter_training.bundle.provenance import Provenance

SCHEMA = Path(__file__).with_name("metadata.schema.json")
_VERSION = "0.1.0"
_CARD = "stated in model_card.json"


def build_metadata(plan: TrainingPlan, dataset: DatasetVersion, provenance: Provenance) -> dict[str, Any]:
    """The metadata, validated; a function of its arguments and of the installed packages' versions.

    Raises:
        jsonschema.ValidationError: it doesn't fit the schema; a defect of this program.
    """
    import jsonschema

    negative, positive = dataset.classes
    metadata: dict[str, Any] = {
        "schema_version": 1,
        "version": _VERSION,
        "changelog": {_VERSION: "written by training; the registry numbers models"},
        **_packages(),
        "name": plan.name,
        "task": f"tell {positive} from {negative} on a single radiograph",
        "description": plan.description or f"{plan.network.name} at {plan.image_size} x {plan.image_size}",
        "authors": _CARD,
        "copyright": _CARD,
        "intended_use": _CARD,
        "data_type": "dicom",
        "image_classes": "one channel, 0..1, white is dense, aspect kept, padded with 0",
        "label_classes": {"0": negative, "1": positive},
        "network_data_format": _network_data_format(plan, positive),
        "dataset": asdict(dataset),
        "training": {"seed": plan.seed, **asdict(provenance)},
    }
    metadata = json.loads(json.dumps(metadata))
    jsonschema.validate(metadata, json.loads(SCHEMA.read_bytes()))
    return metadata


def _packages() -> dict[str, Any]:
    needed = ("isocenter", "isocenter-training", "onnxruntime", "safetensors")
    return {
        "monai_version": version("monai"),
        "pytorch_version": version("torch").split("+")[0],
        "numpy_version": version("numpy"),
        "required_packages_version": {name: version(name) for name in needed},
    }


def _network_data_format(plan: TrainingPlan, positive: str) -> dict[str, Any]:
    image = {
        "type": "image",
        "format": "magnitude",
        "modality": "DX",
        "num_channels": 1,
        "spatial_shape": [plan.image_size, plan.image_size],
        "dtype": "float32",
        "value_range": [0, 1],
        "is_patch_data": False,
        "channel_def": {"0": "radiograph"},
    }
    logit = {
        "type": "probabilities",
        "format": "logits",
        "modality": "n/a",
        "num_channels": 1,
        "spatial_shape": [],
        "dtype": "float32",
        "value_range": [],
        "is_patch_data": False,
        "channel_def": {"0": f"{positive} (logit, not calibrated)"},
    }
    return {"inputs": {"image": image}, "outputs": {"pred": logit}}
