"""Every verb leaves a record in the audit trail, also one that failed, or whose settings are wrong."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.audit.entry import append_entry
from isocenter.domain.audit_event import Outcome
from isocenter.errors import IsocenterError, PolicyError
from isocenter.home import open_home
from isocenter.targets.forms import NAME
from isocenter_infra.change.intent import Intent
from isocenter_infra.verbs.options import LOCAL, read_intent


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


@contextmanager
def audited(
    action: str, cloud: str, name: str, deployments: Path, outdir: Path, *, emulate: bool = False
) -> Iterator[tuple[Intent, dict[str, Any]]]:
    """Read which deployment is meant, and record ``action`` on it; also where its settings can't be read.

    Yields:
        What is meant, and details of the record, to fill in.

    Raises:
        NotFoundError, InputError: as of ``read_intent``.
    """
    with recorded(action, _asked_about(cloud, name)) as record:
        intent = read_intent(cloud, name, deployments, outdir, emulate=emulate)
        record.about = intent.about
        yield intent, record.details


def _asked_about(cloud: str, name: str) -> str:
    """What the options name: the deployment, else the cloud; a text that can name neither is left out."""
    if cloud == LOCAL or re.fullmatch(NAME, name):
        return f"deployment:{LOCAL if cloud == LOCAL else name}"
    return f"cloud:{cloud or 'any'}"


def record_begin(action: str, about: str, details: Mapping[str, Any]) -> None:
    """Record that ``action`` begins to change a cloud: whoever is killed in it has left this."""
    append_entry(open_home(), f"{action}.begin", about, details)
