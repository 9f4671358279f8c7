"""The one error hierarchy: what was wrong, where, and what to do about it.

The command line prints ``message`` and ``hint`` and exits with ``exit_code``; a program reads ``code``.
A message never holds patient data: no identifier, no file name from a source folder.
"""

from typing import Any, ClassVar


class IsocenterError(Exception):
    """Base of every error that Isocenter raises on purpose.

    Args:
        message: one or two sentences: what was wrong and where.
        hint: one line that says what the user can do; empty when the message already does.
    """

    exit_code: ClassVar[int] = 1
    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.facts: dict[str, Any] = {}
        """JSON-able facts that ``--json`` prints beside the error, e.g. how far a pipeline got."""


class InputError(IsocenterError):
    """What the user gave (a folder, a file, a label, a plan) can't be used."""

    exit_code = 3
    code = "bad-input"


class NotFoundError(InputError):
    """A named thing (run, model, target, dataset) does not exist."""

    code = "not-found"


class GateFailedError(IsocenterError):
    """An evaluation did not reach its acceptance thresholds; nothing was registered."""

    exit_code = 4
    code = "gate-failed"


class JobFailedError(IsocenterError):
    """A job ran and ended without success."""

    exit_code = 5
    code = "job-failed"


class IntegrityError(IsocenterError):
    """Something that must never change has changed: a digest, a chain, a signature."""

    exit_code = 6
    code = "integrity"


class EnvironmentFaultError(IsocenterError):
    """This machine lacks something: a package, disk space, a database, a permission."""

    exit_code = 7
    code = "environment"


class TransientFaultError(EnvironmentFaultError):
    """A service could not be reached, was busy, or failed inside: the same request may work later.

    Args:
        retry_after_s: how long the service asks to wait; None where it doesn't say.
    """

    code = "transient"

    def __init__(self, message: str, *, hint: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after_s = retry_after_s


class PolicyError(IsocenterError):
    """The request is understood and refused by a rule, e.g. a promotion without a complete card."""

    exit_code = 8
    code = "refused"
