"""The bundle's network under ONNX Runtime."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.errors import IntegrityError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MOST_THREADS = 4


class Network:
    """A loaded network. Several threads may call it at once.

    Args:
        path: ``model.onnx``.
        image_size: rows and columns that it must take.
        threads: threads of one call; None: the cores this process may use, at most four.

    Raises:
        IntegrityError: it can't be loaded, or doesn't take ``image`` [N, 1, S, S] and give ``logit`` [N, 1].
    """

    def __init__(self, path: Path, image_size: int, threads: int | None = None) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads or min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        options.inter_op_num_threads = 1
        # Threads that spin while they wait take cores from the decoders and from other processes.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's errors share no public base class
            raise IntegrityError(f"The bundle's network can't be loaded: {type(error).__name__}.") from error
        self._check(image_size)

    def _check(self, image_size: int) -> None:
        inputs = {each.name: list(each.shape) for each in self._session.get_inputs()}
        outputs = {each.name for each in self._session.get_outputs()}
        shape: list[Any] = inputs.get("image", [])
        fits = len(shape) == 4 and all(
            not isinstance(have, int) or have == want
            for have, want in zip(shape[1:], (1, image_size, image_size), strict=True)
        )
        if set(inputs) != {"image"} or outputs != {"logit"} or not fits:
            raise IntegrityError(
                "The bundle's network doesn't fit its preprocessing.",
                hint=f"It must take 'image' [N, 1, {image_size}, {image_size}] and give 'logit' [N, 1].",
            )

    def logits(self, images: "NDArray[np.float32]") -> "NDArray[np.float32]":
        """Logits [N] of ``images``, float32 [N, S, S] in 0..1.

        Raises:
            IntegrityError: the network fails.
        """
        try:
            (logits,) = self._session.run(["logit"], {"image": images[:, None]})
        except Exception as error:  # onnxruntime's errors share no public base class
            raise IntegrityError(f"The bundle's network failed: {type(error).__name__}.") from error
        flat: NDArray[np.float32] = logits.reshape(len(images))
        return flat
