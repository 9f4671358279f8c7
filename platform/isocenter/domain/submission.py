"""The exact provider request that a backend made of a job."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.domain.digest import digest_json
from isocenter.domain.run import RunId

_IMAGE = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Submission:
    """A provider request: frozen, printable, hashed, made without network or credentials.

    Args:
        backend: name of the backend that planned it and will submit it.
        run: the run it belongs to.
        request: JSON-able body in the provider's own terms.
    """

    backend: str
    run: RunId
    request: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Digest of backend, run and request."""
        return digest_json({"backend": self.backend, "run": self.run, "request": dict(self.request)})

    @property
    def image(self) -> str | None:
        """The job's image, which each request names by its digest; None where there is none."""
        return next((text for text in _texts(self.request) if _IMAGE.fullmatch(text)), None)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
