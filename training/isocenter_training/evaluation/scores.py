"""Logits of the images of a dataset by ONNX Runtime, the same graph that serving runs."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isocenter.errors import InputError, IntegrityError

if TYPE_CHECKING:
    from numpy.typing import NDArray


def open_network(path: Path, threads: int | None = None) -> Any:
    """An ONNX Runtime session on the CPU.

    Args:
        path: ``model.onnx``.
        threads: threads of one call; None: the cores this process may use.

    Raises:
        InputError: the file is missing.
        IntegrityError: it is no ONNX model that this runtime can load.
    """
    import onnxruntime

    if not path.is_file():
        raise InputError(f"The bundle lacks models/{path.name}.")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's errors share no public base class
        raise IntegrityError(f"models/{path.name} can't be loaded: {type(error).__name__}.") from error


def compute_logits(
    network: Any,
    tiles: "NDArray[np.uint16]",
    rows: "NDArray[np.int64]",
    *,
    batch_size: int,
    progress: Callable[[int], None] | None = None,
) -> "NDArray[np.float64]":
    """The network's logit for each of ``rows``.

    Args:
        network: of :func:`open_network`.
        tiles: uint16 [N, S, S], usually memory-mapped.
        rows: which tiles, in which order.
        batch_size: images in one call.
        progress: called with the number of images done.

    Raises:
        IntegrityError: the network does not fit the tiles, or gives a logit that is not finite.
    """
    from isocenter.imaging import to_unit

    logits = np.empty(len(rows), dtype=np.float64)
    for start in range(0, len(rows), batch_size):
        chunk = rows[start : start + batch_size]
        logits[start : start + len(chunk)] = _run(network, to_unit(tiles[chunk])[:, None])
        if progress:
            progress(start + len(chunk))
    if not np.isfinite(logits).all():
        raise IntegrityError(
            f"The network gives no finite logit for {int((~np.isfinite(logits)).sum())} images.",
            hint="Training may have diverged: look at metrics.jsonl, lower the learning rate.",
        )
    return logits


def _run(network: Any, images: "NDArray[np.float32]") -> "NDArray[np.float32]":
    try:
        (logits,) = network.run(["logit"], {"image": images})
    except Exception as error:  # onnxruntime's errors share no public base class
        raise IntegrityError(
            f"The network can't take images of {images.shape[2]} pixels square: {type(error).__name__}.",
            hint="Its input must be 'image' [N, 1, S, S] and its output 'logit' [N, 1].",
        ) from error
    return np.asarray(logits, dtype=np.float32).reshape(len(images))
