"""How Azure ML starts a job's command: what it puts in the placeholders, and what the environment says.

https://learn.microsoft.com/azure/machine-learning/how-to-train-distributed-gpu (PyTorch: one process a rank)
"""

import re
import shlex
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PLACEHOLDER = re.compile(r"\$\{\{\s*(inputs|outputs)\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}")
# What a command calls the image's own program; the emulator runs another in its place.
_IMAGE_PROGRAM = ("-m", "isocenter_training")


@dataclass(frozen=True)
class Scope:
    """Where a job runs.

    Args:
        subscription: id.
        resource_group: name.
        workspace: name.
    """

    subscription: str
    resource_group: str
    workspace: str


# ``inputs`` or ``outputs``, and a name: an input and an output may have the same.
Port = tuple[str, str]


def placeholders(command: str) -> list[Port]:
    """The port of each placeholder in ``command``."""
    return _PLACEHOLDER.findall(command)


def filled(command: str, directories: Mapping[Port, Path]) -> str:
    """``command`` with directories for placeholders."""
    return _PLACEHOLDER.sub(lambda match: str(directories[match[1], match[2]]), command)


def environments(name: str, properties: Mapping[str, Any], scope: Scope) -> list[dict[str, str]]:
    """The variables of each of a job's processes, rank 0 first."""
    common = {
        "AZUREML_RUN_ID": name,
        "AZUREML_ROOT_RUN_ID": name,
        "AZUREML_EXPERIMENT_NAME": str(properties.get("experimentName") or "Default"),
        "AZUREML_ARM_SUBSCRIPTION": scope.subscription,
        "AZUREML_ARM_RESOURCEGROUP": scope.resource_group,
        "AZUREML_ARM_WORKSPACE_NAME": scope.workspace,
        **(properties.get("environmentVariables") or {}),
    }
    distribution = properties.get("distribution")
    if distribution is None:
        return [common]
    nodes = int((properties.get("resources") or {}).get("instanceCount") or 1)
    each = int(distribution.get("processCountPerInstance") or 1)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    return [
        common
        | {
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(nodes * each),
            "NODE_RANK": str(rank // each),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank % each),
        }
        for rank in range(nodes * each)
    ]


def image_programs(folder: Path, program: Sequence[str]) -> Path:
    """A folder with the image's ``python``, whose module isocenter_training is ``program``."""
    folder.mkdir(parents=True, exist_ok=True)
    script = (
        "#!/bin/sh\n"
        f'if [ "$1 $2" = "{" ".join(_IMAGE_PROGRAM)}" ]; then shift 2; exec {shlex.join(program)} "$@"; fi\n'
        f'exec {shlex.quote(sys.executable)} "$@"\n'
    )
    path = folder / "python"
    path.write_text(script)
    path.chmod(0o755)
    return folder
