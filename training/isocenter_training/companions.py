"""GPUs and CPU cores as processes: what a launcher like torchrun does, where the service started none.

A service that knows nothing of launchers starts the program once on each machine; so a machine's GPUs get a
process each. On a CPU, a process with one thread a core trains faster and more evenly than threads.

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
from isocenter_training.contract.failure import leave_reason
from isocenter_training.hardware import gpu_count

_SMALLEST_SHARE = 8
_PARENT = "ISOCENTER_COMPANION_OF"
_PR_SET_PDEATHSIG = 1
_PATIENCE_S = 30
# What is wrong for one process is wrong for all; the first one is to say it, as soon as it gets there.
_GRACE_S = 10

_ENDED_EARLY = "A process of the training ended early"
_PERHAPS = "Too little memory is a likely cause: lower budget.batch_size or image_size, or give --threads 1."


def processes_for(units: int, batch_size: int) -> int:
    """How many processes train on ``units`` GPUs or cores: each gets at least 8 images of a batch.

    Batch normalisation takes its statistics over a process's share.
    """
    return max(1, min(units, batch_size // _SMALLEST_SHARE))


def processes_here(context: RunContext, cores: int, batch_size: int) -> int:
    """How many processes this one is to become: one a GPU, else one a core unless other machines train along.

    Args:
        context: of this process.
        cores: that may be used on this machine.
        batch_size: images in a step, over all processes.
    """
    if context.launched:
        return 1
    if gpus := gpu_count():
        return processes_for(gpus, batch_size // context.world_size)
    return processes_for(cores, batch_size) if context.world_size == 1 else 1


@contextmanager
def companions(context: RunContext, processes: int, threads: int) -> Iterator[RunContext]:
    """Start ``processes`` - 1 companions for the length of the ``with`` block.

    Args:
        context: of this process, which is alone on its machine.
        processes: of this machine that train together, this one counted; the same on each machine.
        threads: CPU threads of each.

    Yields:
        The context of this process as the first of them.
    """
    if processes == 1:
        yield context
        return
    with tempfile.TemporaryDirectory(prefix="isocenter-") as folder:
        first = context.rank * processes
        together = replace(
            context,
            rank=first,
            world_size=context.world_size * processes,
            rendezvous=Path(folder) / "rendezvous" if context.world_size == 1 else None,
        )
        started = [
            _start(replace(together, rank=first + number, local_rank=number), processes, threads)
            for number in range(1, processes)
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
            reason = f"{_ENDED_EARLY} (exit code {dead.returncode}). {_PERHAPS}"
            print(reason, file=sys.stderr, flush=True)
            leave_reason(os.environ, reason)
            _end(started, patience_s=0)
            os._exit(EnvironmentFaultError.exit_code)


def follow_parent() -> None:
    """Make a companion die with the process that started it, however that ended."""
    parent = os.environ.get(_PARENT, "")
    if not parent:
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(1)


def _start(context: RunContext, processes: int, threads: int) -> "subprocess.Popen[bytes]":
    own = {"LOCAL_WORLD_SIZE": str(processes), "OMP_NUM_THREADS": str(threads), _PARENT: str(os.getpid())}
    environment = os.environ | context.environment() | own
    command = [sys.executable, "-m", "isocenter_training", "train"]
    return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _end(started: "Sequence[subprocess.Popen[bytes]]", patience_s: float) -> None:
    for companion in started:
        try:
            companion.wait(patience_s)
        except subprocess.TimeoutExpired:
            companion.kill()
            companion.wait()
