"""The device and the CPU cores of a training, and the switches that make results repeat."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.errors import InputError
from isocenter_training.contract import RunContext

if TYPE_CHECKING:
    import torch

_CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Hardware:
    """What one process computes on.

    Args:
        device: the GPU of this process's local rank, else the CPU.
        threads: CPU threads inside torch's operations. Sums are split by it, so that results repeat to the
            last bit only with the same number.
    """

    device: "torch.device"
    threads: int

    @property
    def readers(self) -> int:
        """Threads that read batches ahead: none on the CPU, where they would take cores from training."""
        return min(4, self.threads) if self.device.type == "cuda" else 0


def prepare_hardware(context: RunContext, threads: int) -> Hardware:
    """Choose the device, set the threads and make torch repeat its results exactly.

    Where a GPU has no repeatable version of an operation, torch warns and takes the one it has.
    """
    # cuBLAS repeats its sums only with a fixed workspace; read when CUDA starts.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=torch.cuda.is_available())
    # Filling each new tensor is for finding reads of what was never written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    if not torch.cuda.is_available():
        return Hardware(torch.device("cpu"), threads)
    torch.cuda.set_device(context.local_rank)
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return Hardware(torch.device("cuda", context.local_rank), threads)


def cores_to_use(context: RunContext) -> int:
    """CPU cores for this process and those that it will start.

    Parameter ``threads``, which the processes that a launcher started on this machine share, else
    $OMP_NUM_THREADS, else the cores that this process may use.

    Raises:
        InputError: parameter ``threads`` is not a number above 0.
    """
    wanted = context.parameters.get("threads")
    if wanted is not None:
        if not isinstance(wanted, int) or isinstance(wanted, bool) or wanted < 1:
            raise InputError(f"The parameter threads is {wanted!r}, not a number above 0.")
        return max(1, wanted // _neighbours(context))
    preset = os.environ.get("OMP_NUM_THREADS", "")
    return int(preset) if preset.isdecimal() and int(preset) else usable_cores()


def _neighbours(context: RunContext) -> int:
    """Processes on this machine that a launcher started, this one counted; torchrun tells."""
    told = os.environ.get("LOCAL_WORLD_SIZE", "") if context.launched else ""
    return max(1, int(told)) if told.isdecimal() else 1


def gpu_count() -> int:
    """NVIDIA GPUs that this process may use, found without loading torch."""
    found = sum(path.name.removeprefix("nvidia").isdecimal() for path in Path("/dev").glob("nvidia*"))
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if chosen is None else min(found, len([each for each in chosen.split(",") if each.strip()]))


def usable_cores() -> int:
    """Cores that this process may use: its affinity mask, cut by the container's CPU quota."""
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = _CGROUP_QUOTA.read_text().split()
        return max(1, min(cores, int(quota) // int(period)))
    except (OSError, ValueError):  # no cgroup v2, or the quota is "max"
        return cores
