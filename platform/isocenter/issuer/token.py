"""A token of the development issuer."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.domain.run import new_run_id
from isocenter.errors import InputError
from isocenter.issuer.signing_keys import ALGORITHM, LONGEST_TOKEN_S, IssuerKeys

SCOPES = ("predict", "explain", "admin")


@dataclass(frozen=True)
class Grant:
    """What a token allows.

    Args:
        subject: whom it is for: a program or a person.
        audience: the endpoint that takes it.
        scopes: of :data:`SCOPES`.
        lifetime_s: seconds until it expires, at most a day.
    """

    subject: str
    audience: str
    scopes: Sequence[str]
    lifetime_s: int = 3600


def endpoint_audience(endpoint: str) -> str:
    """The ``aud`` of tokens for an endpoint on this machine."""
    return f"isocenter:endpoint:{endpoint}"


def issue_token(keys: IssuerKeys, grant: Grant) -> tuple[str, str]:
    """A signed token (RFC 9068) and its id, by which the audit trail names it.

    Raises:
        InputError: an unknown scope, or a lifetime that is too long.
    """
    import jwt

    if not 0 < grant.lifetime_s <= LONGEST_TOKEN_S:
        raise InputError("A development token lives at least a second and at most a day.")
    unknown = sorted(set(grant.scopes) - set(SCOPES))
    if unknown or not grant.scopes:
        named = f"There is no scope {unknown[0]!r}." if unknown else "A token needs a scope."
        raise InputError(named, hint=f"Scopes: {', '.join(SCOPES)}.")
    now = int(time.time())
    token_id = new_run_id()
    claims = {
        "iss": keys.issuer,
        "aud": grant.audience,
        "sub": grant.subject,
        "scope": " ".join(dict.fromkeys(grant.scopes)),
        "iat": now,
        "nbf": now,
        "exp": now + grant.lifetime_s,
        "jti": token_id,
    }
    headers = {"kid": keys.signing["kid"], "typ": "at+jwt"}
    key = jwt.PyJWK(dict(keys.signing))
    return jwt.encode(claims, key.key, algorithm=ALGORITHM, headers=headers), token_id
