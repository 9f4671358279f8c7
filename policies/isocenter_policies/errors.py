"""What stops a scan. The exit codes are those of Isocenter's command line."""

from typing import ClassVar


class ScanError(Exception):
    """Base of what stops a scan.

    Args:
        message: what is wrong and where.
        hint: what the user can do; empty when the message already says it.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UnreadableError(ScanError):
    """A file can't be scanned as it is: a document, a pack, the exceptions."""

    exit_code = 3


class NothingCheckedError(ScanError):
    """The scan checked nothing, so that its silence means nothing."""

    exit_code = 6
