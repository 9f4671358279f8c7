"""By what a job at a service is known to be of a request: a digest that stands in the request itself."""

from collections.abc import Mapping
from typing import Any

from isocenter.domain.digest import canonical_json, digest_bytes
from isocenter.domain.run import RunId

_ANY_RUN = "RUN"


def request_mark(request: Mapping[str, Any], run: RunId) -> str:
    """Digest of a request that doesn't have it yet.

    It is the same for each run id: so what is printed before a run has one differs from what is sent in that
    id only. Two runs' jobs are told apart by their ids.
    """
    text = canonical_json(dict(request)).decode()
    for written in (run, run.lower()):
        text = text.replace(written, _ANY_RUN)
    return digest_bytes(text.encode())
