"""How a failure looks on the terminal: message, one-line hint, exit code; JSON under ``--json``."""

import errno
import json
import sys

import click

from isocenter.errors import EnvironmentFaultError, IsocenterError

_INTERRUPTED = 130
_FULL = (errno.ENOSPC, errno.EDQUOT)


def report_failure(error: BaseException) -> int:
    """Print ``error`` for a person (stderr) or a program (JSON on stdout) and return the exit code.

    A defect (an exception that is not ours) is named by type and place only: its text might hold patient
    data. Set ``ISOCENTER_TRACEBACK=1`` on a safe terminal to see all of it.
    """
    if isinstance(error, click.exceptions.Exit):
        return error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        click.echo("Interrupted. Run the same command again to continue.", err=True)
        return _INTERRUPTED
    if isinstance(error, click.ClickException):
        error.show()
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    failure = error if isinstance(error, IsocenterError) else _translate(error)
    _show(failure)
    return failure.exit_code


def _translate(error: BaseException) -> IsocenterError:
    import os
    import traceback

    if os.environ.get("ISOCENTER_TRACEBACK"):
        traceback.print_exception(error)
    if isinstance(error, OSError) and error.errno in _FULL:
        where = f" at {error.filename}" if error.filename else ""
        return EnvironmentFaultError(
            f"The disk is full{where}; nothing half-written was kept.",
            hint="`df -h` tells which one: free some space there, then run the same command again.",
        )
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{last.filename.rsplit('/', 1)[-1]}:{last.lineno}"
    return IsocenterError(
        f"Internal error: {type(error).__name__} at {place}.",
        hint="A defect in Isocenter. ISOCENTER_TRACEBACK=1 shows the whole trace; it may hold patient data.",
    )


def _show(failure: IsocenterError) -> None:
    if "--json" in sys.argv:
        body = {"code": failure.code, "message": failure.message, "hint": failure.hint}
        click.echo(json.dumps({"error": body, **failure.facts}))
        return
    click.echo(click.style("Error: ", fg="red", bold=True) + failure.message, err=True)
    if failure.hint:
        click.echo(click.style("Hint: ", fg="yellow") + failure.hint, err=True)
