"""A verb's record in the audit trail, written when it ends, also where it fails."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from isocenter.audit.entry import append_entry
from isocenter.domain.audit_event import Outcome
from isocenter.errors import IsocenterError, PolicyError
from isocenter.home import open_home


@dataclass
class Record:
    """A record that is being written: what it is about, and its details."""

    about: str
    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def recorded(action: str, about: str) -> Iterator[Record]:
    """Record ``action`` when the ``with`` block ends, with its outcome; of an error only its code.

    Args:
        action: e.g. ``deployment.plan``.
        about: e.g. ``deployment:aws-prod``.

    Yields:
        The record, to fill in.

    Raises:
        EnvironmentFaultError: there is no store to record it in; nothing was begun.
    """
    home = open_home()
    record = Record(about)
    try:
        yield record
    except BaseException as error:
        outcome = Outcome.DENIED if isinstance(error, PolicyError) else Outcome.FAILURE
        code = error.code if isinstance(error, IsocenterError) else type(error).__name__
        append_entry(home, action, record.about, record.details | {"error": code}, outcome)
        raise
    append_entry(home, action, record.about, record.details)
