"""The exact provider request that a backend made of a job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from isocenter.domain.digest import digest_json
from isocenter.domain.run import RunId


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
