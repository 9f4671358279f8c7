"""FastAPI with torch in eager mode, as one writes it first: a route that reads, scores and answers.

    python bench/serving_eager.py BUNDLE PORT

Started by ``bench/serving.py``. Reading, weights and calibration are Isocenter's, so that answers are equal.
One image at a time goes through the network, on all cores; letting several in at once was slower.
"""

import sys
import threading
from pathlib import Path

import torch
import uvicorn
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool

from isocenter.domain.evaluation import Decision
from isocenter.imaging import prepare, read_radiograph, to_unit
from isocenter_training.bundle.network import load_network


def main() -> None:
    """Serve until terminated."""
    bundle, port = Path(sys.argv[1]), int(sys.argv[2])
    network, one_at_a_time = load_network(bundle), threading.Lock()
    decision = Decision.model_validate_json((bundle / "configs" / "decision.json").read_bytes())
    app = FastAPI()

    def score(data: bytes) -> float:
        tile = to_unit(prepare(read_radiograph(data).pixels, 224))
        with one_at_a_time, torch.inference_mode():
            logit = network(torch.from_numpy(tile)[None, None])
        return float(decision.scores(logit.numpy())[0, 0])

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.post("/predict")
    async def predict(request: Request) -> dict[str, float]:
        return {"score": await run_in_threadpool(score, await request.body())}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main()
