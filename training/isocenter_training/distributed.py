"""Several processes on one training: started by torchrun, gradients averaged by DistributedDataParallel."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from isocenter_training.contract import RunContext
from isocenter_training.contract.base import INTERFACE_VARIABLES

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_TIMEOUT = timedelta(minutes=10)


class Group:
    """The processes of this training; of one process, every method is a plain pass-through.

    Tensors move over nccl on GPUs and gloo on CPUs; the small Python values of this class always over gloo,
    so that asking whether to stop never waits for the GPU.
    """

    def __init__(self, rank: int, size: int, control: Any = None) -> None:
        self.rank = rank
        self.size = size
        self._control = control

    @property
    def writes(self) -> bool:
        """Whether this process is the one that writes files and reports progress."""
        return self.rank == 0

    def any(self, value: bool) -> bool:
        """Whether ``value`` is true in any process."""
        if self.size == 1:
            return value
        import torch
        import torch.distributed as dist

        flag = torch.tensor([int(value)], dtype=torch.uint8)
        dist.all_reduce(flag, dist.ReduceOp.MAX, group=self._control)
        return bool(flag.item())

    def gather(self, value: Any) -> list[Any]:
        """``value`` of each process, by rank."""
        if self.size == 1:
            return [value]
        import torch.distributed as dist

        values = [None] * self.size
        dist.all_gather_object(values, value, group=self._control)
        return values

    def share(self, value: Any) -> Any:
        """The ``value`` of rank 0, in each process."""
        return self.gather(value if self.writes else None)[0]

    def sum(self, value: "Tensor") -> "Tensor":
        """The sum of ``value`` over the processes."""
        import torch

        if self.size == 1:
            return value
        return torch.stack(self.gather(value.cpu())).sum(dim=0).to(value.device)

    def wrap(self, network: "nn.Module", device: "torch.device") -> "nn.Module":
        """The network as the training step calls it.

        Gradients are summed in buckets. DistributedDataParallel arranges them anew after the first step of a
        process, and with them the order of sums: a continued run would differ in the last bit. It does not
        when it must look for unused parameters.
        """
        if self.size == 1:
            return network
        from torch.nn.parallel import DistributedDataParallel

        devices = [device.index] if device.type == "cuda" else None
        return DistributedDataParallel(
            network, device_ids=devices, gradient_as_bucket_view=True, find_unused_parameters=True
        )

    def same_buffers(self, network: "nn.Module") -> None:
        """Give each process the buffers (running statistics) of rank 0."""
        if self.size == 1:
            return
        import torch.distributed as dist

        for buffer in network.buffers():
            dist.broadcast(buffer, src=0)


@contextmanager
def process_group(context: RunContext, device: "torch.device") -> Iterator[Group]:
    """Join the other processes for the length of the ``with`` block."""
    if context.world_size == 1:
        yield Group(0, 1)
        return
    import torch.distributed as dist

    # Under torchrun the variables are there, and its agent listens at that port.
    os.environ.setdefault("MASTER_ADDR", context.master_addr)
    os.environ.setdefault("MASTER_PORT", str(context.master_port))
    for name in INTERFACE_VARIABLES if context.interface else ():
        os.environ.setdefault(name, context.interface)
    meeting = "env://"
    if context.rendezvous is not None:  # all on this machine: nothing listens outside of it
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
        meeting = f"file://{context.rendezvous}"
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=meeting,
        rank=context.rank,
        world_size=context.world_size,
        timeout=_TIMEOUT,
    )
    try:
        yield Group(context.rank, context.world_size, dist.new_group(backend="gloo", timeout=_TIMEOUT))
    finally:
        dist.destroy_process_group()
