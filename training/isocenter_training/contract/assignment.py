"""What a service told this process, in the service's own places, and what that becomes on this machine."""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from isocenter.domain.digest import digest_json
from isocenter.errors import InputError
from isocenter_training.contract.arguments import Arguments
from isocenter_training.contract.base import INPUT_VARIABLE, Remote, RunContext
from isocenter_training.contract.layout import Layout

OUTPUT_VARIABLES: Mapping[str, str] = {
    "model": "ISOCENTER_MODEL_DIR",
    "output": "ISOCENTER_OUTPUT_DIR",
    "checkpoints": "ISOCENTER_CHECKPOINT_DIR",
}
_CHANNEL = re.compile(r"[a-z][a-z0-9_.-]{0,63}")


@dataclass(frozen=True)
class Assignment:
    """One process's part of a job. A place is a directory or, with ``://`` in it, a URI.

    Args:
        service: that started the job.
        program: ``train`` or ``evaluate``.
        run_id: names the run; may be empty.
        parameters: of the job.
        inputs: channel name -> place.
        outputs: ``model``, ``output`` and ``checkpoints`` -> place.
        layout: of the processes that train together.
    """

    service: str
    program: str
    run_id: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    layout: Layout


class Service(Protocol):
    """How one service hands a job to its container: one module beside this one."""

    @property
    def NAME(self) -> str:  # noqa: N802 - a module's constant
        """The service's name."""
        ...

    def recognise(self, environ: Mapping[str, str]) -> str:
        """What tells that this is the service, for the log; empty when it isn't."""
        ...

    def assignment(self, environ: Mapping[str, str], arguments: Arguments) -> Assignment:
        """What the service gave.

        Raises:
            InputError: something is missing or malformed.
        """
        ...

    def failure_file(self, environ: Mapping[str, str]) -> Path | None:
        """Where the service looks for the reason of a failure, beside standard error."""
        ...


def assign(
    service: str,
    environ: Mapping[str, str],
    arguments: Arguments,
    layout: Layout,
    outputs: Mapping[str, str] | None = None,
) -> Assignment:
    """The assignment by arguments, else the variables ISOCENTER_*, else the service's own ``outputs``.

    Raises:
        InputError: the parameters are no JSON object, or an output has no place.
    """
    channels = {
        name.removeprefix(INPUT_VARIABLE).lower(): value
        for name, value in environ.items()
        if name.startswith(INPUT_VARIABLE) and value
    }
    given = {kind: environ[name] for kind, name in OUTPUT_VARIABLES.items() if environ.get(name)}
    places = {**(outputs or {}), **given, **arguments.outputs}
    for kind, name in OUTPUT_VARIABLES.items():
        if kind not in places:
            raise InputError(
                f"{name} is not set.", hint=f"Set it to a directory that the job may write to, or --{kind}."
            )
    return Assignment(
        service=service,
        program=arguments.program,
        run_id=arguments.run_id or environ.get("ISOCENTER_RUN_ID", ""),
        parameters=_parameters(environ, arguments),
        inputs={**channels, **arguments.inputs},
        outputs=places,
        layout=layout,
    )


def _parameters(environ: Mapping[str, str], arguments: Arguments) -> Mapping[str, Any]:
    if arguments.parameters:
        return json_object(arguments.parameters, "--parameters")
    return json_object(environ.get("ISOCENTER_PARAMETERS") or "{}", "ISOCENTER_PARAMETERS")


def json_object(text: str, name: str) -> Mapping[str, Any]:
    """The JSON object in ``text``.

    Raises:
        InputError: it is none; ``name`` says where it stood.
    """
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{name} is not a JSON object.")
    return value


def context_of(assignment: Assignment, environ: Mapping[str, str]) -> RunContext:
    """The context that an assignment becomes; output directories are made, nothing is fetched.

    Raises:
        InputError: a channel's name is no name, or a directory can't be made.
    """
    remote = _remote(assignment, environ)
    layout = assignment.layout
    return RunContext(
        run_id=assignment.run_id,
        inputs={
            channel: remote.scratch / "input" / channel if channel in remote.inputs else Path(place)
            for channel, place in assignment.inputs.items()
        },
        parameters=assignment.parameters,
        model_dir=_directory("model", assignment, remote),
        output_dir=_directory("output", assignment, remote),
        checkpoint_dir=_directory("checkpoints", assignment, remote),
        rank=layout.rank,
        local_rank=layout.local_rank,
        world_size=layout.world_size,
        master_addr=layout.master_addr,
        master_port=layout.master_port,
        interface=layout.interface,
        rendezvous=Path(meeting) if (meeting := environ.get("ISOCENTER_RENDEZVOUS")) else None,
        service=assignment.service,
        program=assignment.program,
        remote=remote,
        launched=layout.launched,
    )


def _remote(assignment: Assignment, environ: Mapping[str, str]) -> Remote:
    for channel in assignment.inputs:
        if not _CHANNEL.fullmatch(channel):
            raise InputError(f"The input channel {channel[:80]!r} is no name of lower-case letters.")
    inputs = {channel: place for channel, place in assignment.inputs.items() if "://" in place}
    outputs = {kind: place.rstrip("/") for kind, place in assignment.outputs.items() if "://" in place}
    if not inputs and not outputs:
        return Remote()
    # The same name for each process of the job on this machine, another for every other job.
    key = digest_json([assignment.run_id, inputs, outputs, assignment.layout.master_port]).split(":")[1][:16]
    root = Path(environ.get("ISOCENTER_SCRATCH") or tempfile.gettempdir())
    return Remote(inputs, outputs, root / f"isocenter-{os.getuid()}-{key}")


def _directory(kind: str, assignment: Assignment, remote: Remote) -> Path:
    if kind in remote.outputs:
        return remote.scratch / kind
    path = Path(assignment.outputs[kind])
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{OUTPUT_VARIABLES[kind]} can't be made a directory: {error.strerror}.") from error
    return path
