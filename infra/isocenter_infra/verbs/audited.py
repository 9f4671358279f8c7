"""Every verb leaves a record in the audit trail, also one that failed, or whose settings are wrong."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isocenter.audit.entry import append_entry
from isocenter.audit.recorded import recorded
from isocenter.home import open_home
from isocenter.targets.forms import NAME
from isocenter.targets.settings import Cloud
from isocenter_infra.change.intent import Intent
from isocenter_infra.verbs.options import LOCAL, read_intent


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
    with recorded(action, asked_about(cloud, name)) as record:
        intent = read_intent(cloud, name, deployments, outdir, emulate=emulate)
        record.about = intent.about
        yield intent, record.details


def asked_about(cloud: str, name: str) -> str:
    """What the options name: the deployment, else the cloud; a text that can name neither is left out."""
    if cloud == LOCAL or re.fullmatch(NAME, name):
        return f"deployment:{LOCAL if cloud == LOCAL else name}"
    return f"cloud:{cloud if cloud in list(Cloud) else 'any'}"


def record_begin(action: str, about: str, details: Mapping[str, Any]) -> None:
    """Record that ``action`` begins to change a cloud: whoever is killed in it has left this."""
    append_entry(open_home(), f"{action}.begin", about, details)
