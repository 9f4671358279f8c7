"""The MONAI Bundle that training leaves behind: weights, ONNX, configs, and how to read them again."""

from isocenter_training.bundle.inference import ReadRadiograph
from isocenter_training.bundle.network import load_network
from isocenter_training.bundle.provenance import Provenance
from isocenter_training.bundle.write import write_bundle

__all__ = ["Provenance", "ReadRadiograph", "load_network", "write_bundle"]
