"""Every verb leaves a record in the audit trail, also one that failed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from isocenter.audit.entry import append_entry
from isocenter.domain.audit_event import Outcome
from isocenter.errors import IsocenterError, PolicyError
from isocenter.home import open_home


@contextmanager
def audited(action: str, about: str) -> Iterator[dict[str, Any]]:
    """Record ``action`` when the ``with`` block ends, with its outcome.

    Args:
        action: e.g. ``deployment.plan``.
        about: e.g. ``deployment:aws-prod``.

    Yields:
        Details of the record, to fill in.
    """
    details: dict[str, Any] = {}
    try:
        yield details
    except BaseException as error:
        outcome = Outcome.DENIED if isinstance(error, PolicyError) else Outcome.FAILURE
        code = error.code if isinstance(error, IsocenterError) else type(error).__name__
        append_entry(open_home(), action, about, details | {"error": code}, outcome)
        raise
    append_entry(open_home(), action, about, details)


def record_begin(action: str, about: str, details: Mapping[str, Any]) -> None:
    """Record that ``action`` begins to change a cloud: whoever is killed in it has left this."""
    append_entry(open_home(), f"{action}.begin", about, details)
