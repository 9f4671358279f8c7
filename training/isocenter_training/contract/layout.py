"""Which of the processes that train together this one is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from isocenter.errors import InputError

DEFAULT_PORT = 29500
"""Where rank 0 listens when the service names no port; torchrun's own default."""


@dataclass(frozen=True)
class Layout:
    """See :class:`.RunContext`, which has the same fields.

    Args:
        rank: number of this process among ``world_size``.
        local_rank: number of this process on its machine.
        world_size: processes that train together.
        master_addr: where rank 0 listens.
        master_port: port of rank 0.
        interface: network interface between the machines.
        launched: a launcher has started a process for each GPU.
    """

    rank: int = 0
    local_rank: int = 0
    world_size: int = 1
    master_addr: str = ""
    master_port: int = 0
    interface: str = ""
    launched: bool = False


def torchrun_layout(environ: Mapping[str, str], *, rank: int = 0) -> Layout:
    """RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun and Azure ML set them.

    https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables

    Args:
        environ: normally ``os.environ``.
        rank: of this process where RANK isn't set.

    Raises:
        InputError: a variable is no number, or the rank is not below the number of processes.
    """
    layout = Layout(
        rank=read_number(environ, "RANK", rank),
        local_rank=read_number(environ, "LOCAL_RANK", 0),
        world_size=read_number(environ, "WORLD_SIZE", 1),
        master_addr=environ.get("MASTER_ADDR", ""),
        master_port=read_number(environ, "MASTER_PORT", 0),
        launched="LOCAL_RANK" in environ,
    )
    return checked(layout)


def node_layout(nodes: Sequence[str], this: int, port: int = DEFAULT_PORT, interface: str = "") -> Layout:
    """One process on each machine; the first one leads.

    Args:
        nodes: addresses, in an order that is the same everywhere.
        this: index of this machine.
        port: where the first one listens.
        interface: network interface between them; empty for the default.
    """
    if len(nodes) == 1:
        return Layout()
    return checked(Layout(this, 0, len(nodes), nodes[0], port, interface))


def checked(layout: Layout) -> Layout:
    """The layout itself.

    Raises:
        InputError: the rank is not below the number of processes.
    """
    if layout.rank >= max(1, layout.world_size):
        raise InputError(
            f"This is process {layout.rank} (from 0) of {layout.world_size}.",
            hint="RANK and WORLD_SIZE don't fit.",
        )
    return layout


def read_number(environ: Mapping[str, str], name: str, default: int) -> int:
    """A variable that holds a number; ``default`` where it is empty or not set.

    Raises:
        InputError: it is no number.
    """
    text = environ.get(name, "")
    if text and not text.isdecimal():
        raise InputError(f"{name} is {text!r}, not a number.")
    return int(text) if text else default
