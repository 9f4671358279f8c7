"""The program's arguments, for services that hand a job over on the command line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from isocenter.errors import InputError

PROGRAMS = ("train", "evaluate")


@dataclass(frozen=True)
class Arguments:
    """What stood on the command line; empty where nothing did.

    Args:
        program: ``train`` or ``evaluate``.
        run_id: names the run.
        parameters: JSON object of the job's parameters.
        inputs: channel name -> path or URI.
        outputs: ``model``, ``output`` or ``checkpoints`` -> path or URI.
    """

    program: str = PROGRAMS[0]
    run_id: str = ""
    parameters: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong as the rest of the program does: the service shows it as the job's reason."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"The arguments are wrong: {message}.", hint="isocenter-training --help lists them.")


def parse_arguments(argv: Sequence[str]) -> Arguments:
    """Read the command line.

    Raises:
        InputError: it can't be understood.
    """
    found = _parser().parse_args(argv)
    outputs = {"model": found.model, "output": found.output, "checkpoints": found.checkpoints}
    return Arguments(
        program=found.program,
        run_id=found.run_id,
        parameters=found.parameters,
        inputs=dict(_pair(text) for text in found.input),
        outputs={kind: place for kind, place in outputs.items() if place},
    )


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="isocenter-training",
        description="Isocenter's training program. What isn't given here comes from the training service, or"
        " from ISOCENTER_RUN_ID, ISOCENTER_PARAMETERS, ISOCENTER_INPUT_<CHANNEL>, ISOCENTER_MODEL_DIR,"
        " ISOCENTER_OUTPUT_DIR and ISOCENTER_CHECKPOINT_DIR. A place is a directory or a URI (s3://, gs://,"
        " abfss://).",
    )
    parser.add_argument("program", choices=PROGRAMS, help="what to do")
    parser.add_argument("--run-id", default="", help="names the run in records")
    parser.add_argument("--parameters", default="", metavar="JSON", help="the job's parameters, an object")
    parser.add_argument(
        "--input", action="append", default=[], metavar="CHANNEL=PLACE", help="an input; may be repeated"
    )
    parser.add_argument("--model", default="", metavar="PLACE", help="where the model goes")
    parser.add_argument("--output", default="", metavar="PLACE", help="where metrics and reports go")
    parser.add_argument("--checkpoints", default="", metavar="PLACE", help="what a re-run continues from")
    return parser


def _pair(text: str) -> tuple[str, str]:
    channel, separator, place = text.partition("=")
    if not separator or not place:
        raise InputError(f"--input {text[:80]!r} is not CHANNEL=PLACE.")
    return channel.lower(), place
