"""Where the program is: the one answer to what each training service tells its container in its own way.

The table of services is in the container contract (``docs/architecture.md``); here is its ``local`` column.
Each further service adds one function beside :func:`_local`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.errors import InputError

_INPUT = "ISOCENTER_INPUT_"


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
        rendezvous: file where processes that this program started itself meet, instead of at rank 0's port.
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
    rendezvous: Path | None = None

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
                hint=f"Set {_INPUT}{channel.upper()} to a directory.",
            )
        return path

    def environment(self) -> dict[str, str]:
        """The variables from which :func:`detect` makes this context again, in another process."""
        variables = {f"{_INPUT}{channel.upper()}": str(path) for channel, path in self.inputs.items()}
        return variables | {
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


def detect(environ: Mapping[str, str]) -> RunContext:
    """The context of this process, from its environment.

    Args:
        environ: normally ``os.environ``. Read are ISOCENTER_RUN_ID, ISOCENTER_INPUT_<CHANNEL>,
            ISOCENTER_PARAMETERS (a JSON object), ISOCENTER_MODEL_DIR, ISOCENTER_OUTPUT_DIR,
            ISOCENTER_CHECKPOINT_DIR, and torchrun's RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR, MASTER_PORT.

    Raises:
        InputError: a variable is missing or malformed.
    """
    return _local(environ)


def _local(environ: Mapping[str, str]) -> RunContext:
    return RunContext(
        run_id=environ.get("ISOCENTER_RUN_ID", ""),
        inputs={
            name.removeprefix(_INPUT).lower(): Path(value)
            for name, value in environ.items()
            if name.startswith(_INPUT)
        },
        parameters=_parameters(environ.get("ISOCENTER_PARAMETERS", "{}")),
        model_dir=_directory(environ, "ISOCENTER_MODEL_DIR"),
        output_dir=_directory(environ, "ISOCENTER_OUTPUT_DIR"),
        checkpoint_dir=_directory(environ, "ISOCENTER_CHECKPOINT_DIR"),
        rank=_number(environ, "RANK", 0),
        local_rank=_number(environ, "LOCAL_RANK", 0),
        world_size=_number(environ, "WORLD_SIZE", 1),
        master_addr=environ.get("MASTER_ADDR", ""),
        master_port=_number(environ, "MASTER_PORT", 0),
        rendezvous=Path(meeting) if (meeting := environ.get("ISOCENTER_RENDEZVOUS")) else None,
    )


def _parameters(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"ISOCENTER_PARAMETERS is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError("ISOCENTER_PARAMETERS is not a JSON object.")
    return value


def _directory(environ: Mapping[str, str], name: str) -> Path:
    if not environ.get(name):
        raise InputError(f"{name} is not set.", hint="Set it to a directory that the job may write to.")
    path = Path(environ[name])
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{name} can't be made a directory: {error.strerror}.") from error
    return path


def _number(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name, "")
    if text and not text.isdecimal():
        raise InputError(f"{name} is {text!r}, not a number.")
    return int(text) if text else default
