"""SageMaker training: files under /opt/ml, and the argument ``train``.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo-running-container.html

Hyperparameters are strings, of at most 2,500 characters each: ``parameters`` holds the job's parameters as
JSON, or ``parameters_0``, ``parameters_1``, ... hold its pieces; ``run_id`` names the run; ``program`` is
what to do, where it isn't what the argument says.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from isocenter.errors import InputError
from isocenter_training.contract.archive import is_archive_only
from isocenter_training.contract.arguments import PROGRAMS, Arguments
from isocenter_training.contract.assignment import Assignment, json_object
from isocenter_training.contract.layout import Layout, node_layout, torchrun_layout

NAME = "sagemaker"
_ROOT = "/opt/ml"
_PIECE = re.compile(r"parameters_(\d+)")


def _root(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("ISOCENTER_SAGEMAKER_ROOT") or _ROOT)


def recognise(environ: Mapping[str, str]) -> str:
    """See :class:`.Service`."""
    path = _root(environ) / "input" / "config" / "hyperparameters.json"
    return str(path) if path.is_file() else ""


def assignment(environ: Mapping[str, str], arguments: Arguments) -> Assignment:
    """See :class:`.Service`."""
    root = _root(environ)
    hyperparameters = {name: _plain(value) for name, value in _read(root, "hyperparameters.json").items()}
    data = root / "input" / "data"
    channels = sorted(path for path in data.iterdir() if path.is_dir()) if data.is_dir() else []
    return Assignment(
        service=NAME,
        program=_program(hyperparameters, arguments),
        run_id=hyperparameters.get("run_id", "") or arguments.run_id,
        parameters=json_object(_parameters(hyperparameters) or arguments.parameters or "{}", "parameters"),
        inputs={path.name.lower(): _place(path) for path in channels} | dict(arguments.inputs),
        outputs={
            "model": str(root / "model"),
            "output": str(root / "output" / "data"),
            "checkpoints": str(root / "checkpoints"),
        },
        layout=_layout(root, environ),
    )


def failure_file(environ: Mapping[str, str]) -> Path | None:
    """See :class:`.Service`. SageMaker shows its first 1,024 characters as FailureReason."""
    return _root(environ) / "output" / "failure"


def _place(channel: Path) -> str:
    """A model that a pipeline hands from job to job comes packed: such a channel is fetched like a URI."""
    return f"file://{channel}" if is_archive_only(channel) else str(channel)


def _layout(root: Path, environ: Mapping[str, str]) -> Layout:
    if environ.get("RANK"):
        return torchrun_layout(environ)
    if not (root / "input" / "config" / "resourceconfig.json").is_file():
        return Layout()
    found = _read(root, "resourceconfig.json")
    try:
        hosts = sorted(found["hosts"])
        this = hosts.index(found["current_host"])
        return node_layout(hosts, this, interface=str(found.get("network_interface_name", "")))
    except (KeyError, TypeError, ValueError) as error:
        raise InputError("resourceconfig.json has no hosts with current_host among them.") from error


def _read(root: Path, name: str) -> Mapping[str, Any]:
    try:
        text = (root / "input" / "config" / name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{name} can't be read: {type(error).__name__}.") from error
    return json_object(text, name)


def _plain(value: Any) -> str:
    """A hyperparameter as text; some clients put JSON's quotes around text."""
    if not isinstance(value, str):
        return json.dumps(value)
    if value[:1] == '"':
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value


def _parameters(hyperparameters: Mapping[str, str]) -> str:
    if "parameters" in hyperparameters:
        return hyperparameters["parameters"]
    pieces = {
        int(found[1]): text for name, text in hyperparameters.items() if (found := _PIECE.fullmatch(name))
    }
    if sorted(pieces) != list(range(len(pieces))):
        raise InputError("A piece of the hyperparameter parameters_N is missing.")
    return "".join(pieces[number] for number in sorted(pieces))


def _program(hyperparameters: Mapping[str, str], arguments: Arguments) -> str:
    program = hyperparameters.get("program") or arguments.program
    if program not in PROGRAMS:
        raise InputError(f"The hyperparameter program is {program!r}; known: {', '.join(PROGRAMS)}.")
    return program
