"""The four files that an evaluation leaves."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from isocenter.storage.atomic import write_bytes
from isocenter_training.evaluation.evaluate import Evaluation

if TYPE_CHECKING:
    from isocenter.datasets import Dataset


def write_outputs(folder: Path, evaluation: Evaluation, dataset: "Dataset", html: str) -> None:
    """Write predictions.parquet, report.html, decision.json and, last, evaluation.json.

    Each appears whole or not at all; where ``evaluation.json`` is, the others belong to it.
    """
    report = evaluation.report
    (folder / "evaluation.json").unlink(missing_ok=True)
    write_bytes(folder / "predictions.parquet", _predictions(evaluation, dataset))
    write_bytes(folder / "report.html", html.encode())
    write_bytes(folder / "decision.json", report.decision.model_dump_json(indent=2).encode() + b"\n")
    write_bytes(folder / "evaluation.json", report.model_dump_json(indent=2).encode() + b"\n")


def _predictions(evaluation: Evaluation, dataset: "Dataset") -> bytes:
    """One row an image of validation and test, in the manifest's order within each."""
    import pyarrow
    import pyarrow.parquet

    splits = (evaluation.validation, evaluation.test)
    digests = np.asarray(dataset.column("pixel_digest"))
    logits = np.concatenate([split.logits for split in splits])
    table = pyarrow.table(
        {
            "pixel_digest": np.concatenate([digests[split.rows] for split in splits]),
            "split": np.concatenate([np.repeat(split.split.value, len(split.rows)) for split in splits]),
            "label": np.concatenate([split.labels for split in splits]),
            "logit": logits,
            "score": evaluation.report.decision.scores(logits),
        }
    )
    stream = io.BytesIO()
    pyarrow.parquet.write_table(table, stream, compression="zstd")
    return stream.getvalue()
