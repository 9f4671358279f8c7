"""The training container's entry point: ``python -m isocenter_training train|evaluate``.

What to work on comes from the service that started it (:mod:`isocenter_training.contract`). Exit code: 0
done, 143 stopped by SIGTERM with a checkpoint saved, else an error's own (:mod:`isocenter.errors`), whose
reason is the last thing on standard error and lies where the service looks for it.
"""

import errno
import os
import sys
import traceback
from collections.abc import Sequence

from isocenter.errors import EnvironmentFaultError, IsocenterError
from isocenter_training.contract import RunContext, detect, recognise
from isocenter_training.contract.failure import leave_reason
from isocenter_training.contract.remote import at_hand
from isocenter_training.progress import say
from isocenter_training.signals import STOPPED_EXIT_CODE, Stopped, stoppable

_FULL = (errno.ENOSPC, errno.EDQUOT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named program and return the exit code."""
    argv = sys.argv[1:] if arguments is None else arguments
    try:
        with stoppable():
            _run(argv)
    except Stopped:
        print("Stopped by SIGTERM; a re-run with the same checkpoint directory continues.", file=sys.stderr)
        return STOPPED_EXIT_CODE
    except IsocenterError as error:
        return _fail(error) if _is_first() else error.exit_code
    except Exception as error:
        traceback.print_exc()
        return _fail(_translate(error))
    return 0


def _is_first() -> bool:
    """What the user did wrong is the same in each process of a training; one says it."""
    rank = os.environ.get("RANK", "")
    return not rank.isdecimal() or int(rank) == 0


def _run(argv: Sequence[str]) -> None:
    # torch's C++ side warns of choices made on purpose (distributed.py); read when torch is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    context = detect(os.environ, argv)
    if context.rank == 0:
        _announce(context)
    with at_hand(context) as ready:
        if context.program == "train":
            from isocenter_training.train import run
        else:
            from isocenter_training.evaluation import run
        run(ready)


def _announce(context: RunContext) -> None:
    _, sign = recognise(os.environ)
    processes = f", process 0 of {context.world_size}" if context.world_size > 1 else ""
    say(f"Service: {context.service} ({sign}){processes}; program: {context.program}.")


def _translate(error: Exception) -> IsocenterError:
    if isinstance(error, OSError) and error.errno in _FULL:
        return EnvironmentFaultError(
            "The disk is full; the last checkpoint is whole.", hint="Free some space, then run the job again."
        )
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return EnvironmentFaultError(
            "The memory is not enough for this plan.",
            hint="Lower the plan's budget.batch_size or image_size.",
        )
    return IsocenterError(f"Internal error: {type(error).__name__}: {error}")


def _fail(error: IsocenterError) -> int:
    reason = " ".join(f"{error.message} {error.hint}".split())
    # The blank line makes it a paragraph of its own, apart from what was said while all was well.
    print("\n" + reason, file=sys.stderr, flush=True)
    leave_reason(os.environ, reason)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
