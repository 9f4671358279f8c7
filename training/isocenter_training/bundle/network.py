"""Loading the network of a bundle."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.domain.training_plan import parse_plan
from isocenter.errors import InputError

if TYPE_CHECKING:
    from torch import nn

WEIGHTS = Path("models", "model.safetensors")
PLAN = Path("configs", "plan.json")


def load_network(bundle_dir: Path | str) -> "nn.Module":
    """The trained network of a bundle, in evaluation mode, on the CPU.

    Args:
        bundle_dir: what training wrote to its model directory.

    Returns:
        A module from float32 [N, 1, S, S] in 0..1 to the positive class's logit [N, 1], as the ONNX model.

    Raises:
        InputError: a file is missing or the weights don't fit the plan.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    from isocenter_training.trainer import build_trainer

    root = Path(bundle_dir)
    try:
        plan = parse_plan(json.loads((root / PLAN).read_bytes()))
        network = build_trainer(plan).build_network()
        network.load_state_dict(load_file(root / WEIGHTS))
    except (OSError, json.JSONDecodeError, SafetensorError, RuntimeError) as error:
        raise InputError(f"The bundle's network can't be loaded: {error}") from error
    return network.eval()
