"""LitServe with torch, as its documentation has it: batches of up to 8, one worker on all cores.

    python bench/serving_litserve.py BUNDLE PORT

Started by ``bench/serving.py`` in an environment of its own. Reading, weights and calibration are
Isocenter's, so that answers are equal.
"""

import sys
from pathlib import Path
from typing import Any

import litserve
import numpy as np
import torch
from fastapi import Request

from isocenter.domain.evaluation import Decision
from isocenter.imaging import prepare, read_radiograph, to_unit
from isocenter_training.bundle.network import load_network

BUNDLE = Path(sys.argv[1])


class Api(litserve.LitAPI):
    """Score one uploaded DICOM file."""

    def setup(self, device: Any) -> None:
        self.network = load_network(BUNDLE)
        self.decision = Decision.model_validate_json((BUNDLE / "configs" / "decision.json").read_bytes())

    def decode_request(self, request: Request) -> Any:
        return to_unit(prepare(read_radiograph(request["file"].file.read()).pixels, 224))

    def batch(self, inputs: list[Any]) -> Any:
        return torch.from_numpy(np.stack(inputs))[:, None]

    def predict(self, images: Any) -> Any:
        with torch.inference_mode():
            return self.decision.scores(self.network(images).numpy())[:, 0]

    def unbatch(self, output: Any) -> list[float]:
        return [float(score) for score in output]

    def encode_response(self, output: Any) -> dict[str, float]:
        return {"score": output}


if __name__ == "__main__":
    server = litserve.LitServer(Api(max_batch_size=8, batch_timeout=0.005), accelerator="cpu", timeout=120)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
