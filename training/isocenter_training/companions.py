"""CPU cores as processes: a process with one thread a core trains faster and more evenly than threads.

Threads inside torch's operations meet at a barrier some hundred times a step. When anything else runs on the
machine, each meeting waits for the scheduler: with one busy neighbour on 2 cores, 2 threads did 3 images a
second, 1 thread 227. Processes meet once a step, to average gradients.

The companions are copies of this program, with the contract's environment and ranks from 1 up.
"""

import ctypes
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from isocenter.errors import EnvironmentFaultError
from isocenter_training.contract import RunContext

_SMALLEST_SHARE = 8
_PR_SET_PDEATHSIG = 1
_PATIENCE_S = 30
# What is wrong for one process is wrong for all; the first one is to say it, as soon as it gets there.
_GRACE_S = 10

_ENDED_EARLY = "A process of the training ended early"
_PERHAPS = "Too little memory is a likely cause: lower budget.batch_size or image_size, or give --threads 1."


def processes_for(cores: int, batch_size: int) -> int:
    """How many processes train on ``cores`` cores: each gets at least 8 images of a batch.

    Batch normalisation takes its statistics over a process's share.
    """
    return max(1, min(cores, batch_size // _SMALLEST_SHARE))


@contextmanager
def companions(context: RunContext, processes: int, threads: int) -> Iterator[RunContext]:
    """Start ``processes`` - 1 companions for the length of the ``with`` block.

    Args:
        context: of this process, which is alone.
        processes: that train together, this one counted.
        threads: CPU threads of each.

    Yields:
        The context of this process as rank 0 of them.
    """
    if processes == 1:
        yield context
        return
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        together = replace(context, world_size=processes, rendezvous=Path(folder) / "rendezvous")
        started = [
            _start(replace(together, rank=rank, local_rank=rank), threads) for rank in range(1, processes)
        ]
        over = threading.Event()
        threading.Thread(target=_watch, args=(started, over), daemon=True).start()
        try:
            yield together
        except BaseException:
            _end(started, patience_s=0)
            raise
        finally:
            over.set()
        _end(started, patience_s=_PATIENCE_S)


def _watch(started: "Sequence[subprocess.Popen[bytes]]", over: threading.Event) -> None:
    """Leave when a companion ended early: this process would wait for it at the meeting for ten minutes.

    It waits in C++ code that no exception reaches, so the process ends here. The last checkpoint is whole.
    """
    while not over.wait(0.2):
        dead = next((companion for companion in started if companion.poll()), None)
        if dead is not None and not over.wait(_GRACE_S):
            print(f"{_ENDED_EARLY} (exit code {dead.returncode}). {_PERHAPS}", file=sys.stderr, flush=True)
            _end(started, patience_s=0)
            os._exit(EnvironmentFaultError.exit_code)


def follow_parent(context: RunContext) -> None:
    """Make a companion die with the process that started it, however that ended."""
    if context.rendezvous is None or context.rank == 0:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if not context.rendezvous.parent.exists() or os.getppid() == 1:
        sys.exit(1)


def _start(context: RunContext, threads: int) -> "subprocess.Popen[bytes]":
    environment = os.environ | context.environment() | {"OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-m", "isocenter_training", "train"]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _end(started: "Sequence[subprocess.Popen[bytes]]", patience_s: float) -> None:
    for companion in started:
        try:
            companion.wait(patience_s)
        except subprocess.TimeoutExpired:
            companion.kill()
            companion.wait()
