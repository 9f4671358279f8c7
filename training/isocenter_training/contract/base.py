"""What one process of a training job was given, whatever the service that started it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.errors import InputError

INPUT_VARIABLE = "ISOCENTER_INPUT_"
INTERFACE_VARIABLES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")


@dataclass(frozen=True)
class Remote:
    """What lies elsewhere and is worked on in a folder of this machine (:mod:`.remote` copies).

    Args:
        inputs: channel name -> URI that is fetched before the program starts.
        outputs: ``model``, ``output`` or ``checkpoints`` -> URI that what the program leaves is copied to.
        scratch: folder of this machine for all of it; the same for the processes of a job on one machine.
    """

    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)
    scratch: Path = Path()

    def __bool__(self) -> bool:  # noqa: D105
        return bool(self.inputs or self.outputs)


@dataclass(frozen=True)
class RunContext:
    """What one process of a training job was given.

    Args:
        run_id: names the run in records; empty when started by hand.
        inputs: channel name (lower case) -> directory.
        parameters: JSON object of the job's parameters.
        model_dir: what the job is for is left here; exists.
        output_dir: metrics and reports; exists.
        checkpoint_dir: what a re-run continues from; exists and outlives the attempt.
        rank: number of this process among ``world_size``; 0 writes.
        local_rank: number of this process on its machine.
        world_size: processes that train together.
        master_addr: where rank 0 listens; empty for a single process.
        master_port: port of rank 0; 0 for a single process.
        interface: network interface between the machines; empty where the default will do.
        rendezvous: file where processes that this program started itself meet, instead of at rank 0's port.
        service: that started the job: ``local``, ``sagemaker``, ``vertex``, ``azureml``, ``kubernetes``.
        program: what to do: ``train`` or ``evaluate``.
        remote: which of the directories stand for URIs.
        launched: a launcher (torchrun, Azure ML) has started a process for each GPU; else this process is
            the only one on its machine.
        on_checkpoint: called after each checkpoint.
    """

    run_id: str
    inputs: Mapping[str, Path]
    parameters: Mapping[str, Any]
    model_dir: Path
    output_dir: Path
    checkpoint_dir: Path
    rank: int = 0
    local_rank: int = 0
    world_size: int = 1
    master_addr: str = ""
    master_port: int = 0
    interface: str = ""
    rendezvous: Path | None = None
    service: str = "local"
    program: str = "train"
    remote: Remote = Remote()
    launched: bool = field(default=False, compare=False)
    on_checkpoint: Callable[[], None] | None = field(default=None, compare=False, repr=False)

    def input(self, channel: str) -> Path:
        """The directory of an input channel.

        Raises:
            InputError: the job has no such channel, or it is no directory.
        """
        path = self.inputs.get(channel)
        if path is None or not path.is_dir():
            given = ", ".join(sorted(self.inputs)) or "none"
            raise InputError(
                f"The input channel {channel!r} is not a directory (channels given: {given}).",
                hint=f"Set {INPUT_VARIABLE}{channel.upper()} to a directory.",
            )
        return path

    def checkpoint_saved(self) -> None:
        """Say that a whole checkpoint lies in ``checkpoint_dir``: a service may carry it to safety now."""
        if self.on_checkpoint is not None:
            self.on_checkpoint()

    def environment(self) -> dict[str, str]:
        """The variables from which :func:`.detect` makes this context again, in a process started from here.

        There it is ``local``: URIs are this process's business.
        """
        variables = {f"{INPUT_VARIABLE}{channel.upper()}": str(path) for channel, path in self.inputs.items()}
        if self.interface:
            variables |= dict.fromkeys(INTERFACE_VARIABLES, self.interface)
        return variables | {
            "ISOCENTER_SERVICE": "local",
            "ISOCENTER_RUN_ID": self.run_id,
            "ISOCENTER_PARAMETERS": json.dumps(dict(self.parameters)),
            "ISOCENTER_MODEL_DIR": str(self.model_dir),
            "ISOCENTER_OUTPUT_DIR": str(self.output_dir),
            "ISOCENTER_CHECKPOINT_DIR": str(self.checkpoint_dir),
            "ISOCENTER_RENDEZVOUS": str(self.rendezvous or ""),
            "RANK": str(self.rank),
            "LOCAL_RANK": str(self.local_rank),
            "WORLD_SIZE": str(self.world_size),
            "MASTER_ADDR": self.master_addr,
            "MASTER_PORT": str(self.master_port),
        }
