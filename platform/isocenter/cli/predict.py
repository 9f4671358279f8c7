"""``isocenter predict``: score DICOM files with a registered model."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from isocenter.cli.output import json_option, print_json, print_table
from isocenter.cli.paths import INPUT_PATH

if TYPE_CHECKING:
    from isocenter.domain.model import ModelVersion
    from isocenter.home import Home

Answers = Sequence[Mapping[str, Any]]


@click.command(
    epilog="""\b
Examples:
  isocenter predict chest-xray@champion chest1.dcm chest2.dcm
  isocenter predict chest-xray:3 /data/today --json > scores.json

Ends with 0 when every file got a score and with 3 when any was refused; the others are printed all the same.
For research, not diagnosis."""
)
@click.argument("model")
@click.argument("files", nargs=-1, required=True, type=INPUT_PATH)
@click.option("--threads", type=click.IntRange(1), help="Threads of one call of the network.")
@json_option
def command(model: str, files: tuple[Path, ...], threads: int | None, as_json: bool) -> None:
    """Score FILES (DICOM files, or folders of them) with MODEL: name, name:number or name@alias."""
    from isocenter.home import open_home

    home = open_home()
    version = _find_verified(home, model)
    code, answers = _serve(home, version, files, threads)
    _audit(home, version, answers)
    if as_json:
        print_json(answers)
    else:
        _print(version, answers)
    raise click.exceptions.Exit(code)


def _find_verified(home: "Home", reference: str) -> "ModelVersion":
    """The version, whose record is what was registered and whose bundle is whole."""
    from isocenter.audit import AuditTrail
    from isocenter.registry.models import ModelRegistry
    from isocenter.storage.database import open_database

    database = open_database(home)
    registry = ModelRegistry(home, database, AuditTrail(home, database))
    version = registry.get(reference)
    registry.verify(version)
    return version


def _serve(
    home: "Home", version: "ModelVersion", files: Sequence[Path], threads: int | None
) -> tuple[int, Answers]:
    """The serving program's exit code and answers."""
    import json
    import subprocess

    from isocenter.storage.artifacts import ArtifactStore

    bundle = ArtifactStore(home).path(version.artifact_digest)
    options = ["--bundle", str(bundle), "--digest", version.artifact_digest, "--name", version.name]
    options += ["--number", str(version.number), "--json"]
    options += ["--threads", str(threads)] if threads else []
    _require_serving()
    command = [sys.executable, "-m", "isocenter_serving", "predict", *options, "--", *map(str, files)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    try:
        body = json.loads(done.stdout)
    except ValueError:
        raise _failure({"message": "The serving program failed."}, done.returncode) from None
    if isinstance(body, dict):
        raise _failure(body.get("error", {}), done.returncode)
    return done.returncode, body


def _require_serving() -> None:
    from importlib.util import find_spec

    from isocenter.errors import EnvironmentFaultError

    if find_spec("isocenter_serving") is None:
        raise EnvironmentFaultError(
            "The package 'isocenter_serving' is not installed beside the platform.",
            hint="Run `make setup`, or install the project in serving/.",
        )


def _failure(error: Mapping[str, Any], exit_code: int) -> Exception:
    """The serving program's error as ours, with the same exit code."""
    from isocenter import errors

    kinds = (
        errors.InputError,
        errors.IntegrityError,
        errors.EnvironmentFaultError,
        errors.JobFailedError,
    )
    kind = next((kind for kind in kinds if kind.exit_code == exit_code), errors.IsocenterError)
    return kind(str(error.get("message", "")), hint=str(error.get("hint", "")))


def _audit(home: "Home", version: "ModelVersion", answers: Answers) -> None:
    from isocenter.audit import AuditTrail, current_actor
    from isocenter.domain.audit_event import AuditEvent
    from isocenter.storage.database import open_database

    details = {"files": len(answers), "refused": sum("refused" in answer for answer in answers)}
    event = AuditEvent(current_actor(), "model.predict", f"model:{version.reference}", details=details)
    AuditTrail(home, open_database(home)).append(event)


def _print(version: "ModelVersion", answers: Answers) -> None:
    rows = [_row(answer) for answer in answers]
    title = f"{version.reference} ({version.artifact_digest[:19]})"
    print_table(title, ("file", "score", "decision", "threshold"), rows)
    refused = sum("refused" in answer for answer in answers)
    click.echo(f"{len(answers) - refused} scored, {refused} refused. For research, not diagnosis.", err=True)


def _row(answer: Mapping[str, Any]) -> tuple[str, ...]:
    name = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in str(answer["file"]))
    if "refused" in answer:
        return name, "", f"refused ({answer['refused']}): {answer['message']}", ""
    return name, f"{answer['score']:.3f}", str(answer["decision"]), f"{answer['threshold']:.3f}"
