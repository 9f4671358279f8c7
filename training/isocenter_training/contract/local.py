"""This machine: the variables ISOCENTER_* or arguments, and torchrun's variables.

Inputs and outputs are directories; a URI will do as well.
"""

from collections.abc import Mapping
from pathlib import Path

from isocenter_training.contract.arguments import Arguments
from isocenter_training.contract.assignment import Assignment, assign
from isocenter_training.contract.layout import torchrun_layout

NAME = "local"


def recognise(environ: Mapping[str, str]) -> str:
    """See :class:`.Service`. Where no other service is, this one is."""
    return "no sign of a training service"


def assignment(environ: Mapping[str, str], arguments: Arguments) -> Assignment:
    """See :class:`.Service`."""
    return assign(NAME, environ, arguments, torchrun_layout(environ))


def failure_file(environ: Mapping[str, str]) -> Path | None:
    """See :class:`.Service`. The end of standard error is all there is."""
    return None
