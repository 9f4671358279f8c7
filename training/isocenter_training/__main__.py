"""The training container's entry point: ``python -m isocenter_training train|evaluate``.

What to work on comes from the environment (:mod:`isocenter_training.contract`). Exit code: 0 done, 143
stopped by SIGTERM with a checkpoint saved, else an error's own (:mod:`isocenter.errors`), whose reason is the
last thing on standard error.
"""

import argparse
import errno
import os
import sys
import traceback
from collections.abc import Sequence

from isocenter.errors import EnvironmentFaultError, IsocenterError
from isocenter_training.contract import detect
from isocenter_training.signals import STOPPED_EXIT_CODE, Stopped

_FULL = (errno.ENOSPC, errno.EDQUOT)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the named program and return the exit code."""
    program = _parser().parse_args(arguments).program
    try:
        _run(program)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="isocenter_training", description="Isocenter's training container.")
    parser.add_argument("program", choices=("train", "evaluate"), help="what to do")
    return parser


def _run(program: str) -> None:
    # torch's C++ side warns of choices made on purpose (distributed.py); read when torch is loaded.
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
    context = detect(os.environ)
    if program == "train":
        from isocenter_training.train import run
    else:
        from isocenter_training.evaluation import run
    run(context)


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
    # The blank line makes it a paragraph of its own, apart from what was said while all was well.
    print("\n" + " ".join(f"{error.message} {error.hint}".split()), file=sys.stderr, flush=True)
    return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
