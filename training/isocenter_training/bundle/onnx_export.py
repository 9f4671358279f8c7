"""The network as ONNX, checked against torch on real images before anybody relies on it."""

import io
import warnings
from typing import TYPE_CHECKING

from isocenter.errors import IntegrityError

if TYPE_CHECKING:
    from torch import Tensor, nn

TOLERANCE = 1e-4
_OPSET = 18


def export_onnx(network: "nn.Module", image_size: int) -> bytes:
    """The network as an ONNX model: input ``image`` float32 [N, 1, S, S], output ``logit`` float32 [N, 1].

    The same network gives the same bytes. By torch's TorchScript exporter: the newer one takes ten times as
    long and writes this machine's file names into the model (``docs/decisions/training-program.md``).
    """
    import torch

    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        torch.onnx.export(
            network.eval(),
            (torch.full((2, 1, image_size, image_size), 0.5),),
            buffer,  # type: ignore[arg-type]  # a file will do with this exporter
            dynamo=False,
            opset_version=_OPSET,
            input_names=["image"],
            output_names=["logit"],
            dynamic_axes={"image": {0: "N"}, "logit": {0: "N"}},
        )
    return buffer.getvalue()


def check_onnx(model: bytes, network: "nn.Module", images: "Tensor") -> float:
    """The largest difference of a logit between ONNX Runtime and torch on ``images`` [N, 1, S, S].

    Raises:
        IntegrityError: it is above :data:`TOLERANCE` (relative for logits beyond 1).
    """
    import numpy as np
    import onnxruntime
    import torch

    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    exported = session.run(["logit"], {"image": images.contiguous().numpy()})[0]
    with torch.inference_mode():
        expected = network.eval()(images).numpy()
    difference = float(np.max(np.abs(exported - expected) / np.maximum(1.0, np.abs(expected))))
    if not difference <= TOLERANCE:
        raise IntegrityError(
            f"The exported ONNX model differs from the trained network by {difference:.2g} in a logit."
        )
    return difference
