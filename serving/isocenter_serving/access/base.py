"""What a gate is: it lets a caller in for one scope, or says why not."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Scope(StrEnum):
    """What a caller may do."""

    PREDICT = "predict"
    EXPLAIN = "explain"
    ADMIN = "admin"


@dataclass(frozen=True)
class Caller:
    """Who was let in.

    Args:
        subject: the issuer's name for it; of a program or a person, never of a patient.
        scopes: what it may do.
        issuer: who vouches for it.
    """

    subject: str
    scopes: frozenset[Scope]
    issuer: str


class Denied(Exception):  # noqa: N818 - what happened, not an error of ours
    """Nobody was let in.

    Args:
        status: 401 (no or no good token), 403 (not for this scope) or 503 (tokens can't be checked now).
        reason: a code, such as ``expired``; fit for logs, metrics and the audit trail.
        challenge: the answer's ``WWW-Authenticate`` (RFC 6750 section 3); empty for 503.
        subject: the caller, where a good token named it.
    """

    def __init__(self, status: int, reason: str, challenge: str = "", subject: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.challenge = challenge
        self.subject = subject


class Gate(Protocol):
    """Decides about one request."""

    async def admit(self, authorization: str | None, scope: Scope) -> Caller:
        """The caller, who has ``scope``.

        Args:
            authorization: the request's ``Authorization``.
            scope: what is asked for.

        Raises:
            Denied: not let in.
        """
        ...
