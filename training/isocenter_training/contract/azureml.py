"""Azure ML command jobs: arguments with mounted paths, and the variables of a PyTorch distribution.

https://learn.microsoft.com/azure/machine-learning/how-to-train-distributed-gpu#environment-variables-for-distributed-training
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from isocenter_training.contract.arguments import Arguments
from isocenter_training.contract.assignment import Assignment, assign
from isocenter_training.contract.layout import read_number, torchrun_layout

NAME = "azureml"


def recognise(environ: Mapping[str, str]) -> str:
    """See :class:`.Service`."""
    return "AZUREML_RUN_ID" if environ.get("AZUREML_RUN_ID") else ""


def assignment(environ: Mapping[str, str], arguments: Arguments) -> Assignment:
    """See :class:`.Service`.

    Outputs are mounts of a blob container, which take whole files and know little of renaming; so they are
    written elsewhere and copied, like URIs.
    """
    layout = torchrun_layout(environ, rank=read_number(environ, "NODE_RANK", 0))
    given = assign(NAME, environ, arguments, layout)
    return replace(given, outputs={kind: _as_uri(place) for kind, place in given.outputs.items()})


def failure_file(environ: Mapping[str, str]) -> Path | None:
    """See :class:`.Service`. Azure ML shows the end of standard error."""
    return None


def _as_uri(place: str) -> str:
    return place if "://" in place else f"file://{Path(place).absolute()}"
