"""A gate that takes bearer tokens of one issuer (RFC 6750, RFC 7519, RFC 8725, RFC 9068)."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from isocenter_serving.access.base import Caller, Denied, Scope
from isocenter_serving.access.key_set import KeySet, KeysUnavailableError
from isocenter_serving.access.settings import AccessSettings

if TYPE_CHECKING:
    from jwt import PyJWK

_MOST_TOKEN_CHARS = 16 * 1024
_MOST_SUBJECT_CHARS = 256
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_REQUIRED = ("exp", "iss", "aud", "sub")
# Scopes in RFC 9068's own claim, in Microsoft Entra's for people, and in its for programs.
_SCOPE_CLAIMS = ("scope", "scp", "roles")


class TokenGate:
    """Takes a signed, unexpired token of the issuer, for this audience, that has the scope.

    Args:
        settings: issuer, audience, algorithms and keys.
    """

    def __init__(self, settings: AccessSettings) -> None:
        self._settings = settings
        self._keys = KeySet(settings)

    async def admit(self, authorization: str | None, scope: Scope) -> Caller:
        """See :class:`~isocenter_serving.access.base.Gate`."""
        token = _bearer(authorization)
        claims = self._verify(token, await self._key(token))
        caller = Caller(_subject(claims), self._scopes(claims), self._settings.issuer)
        if scope not in caller.scopes:
            challenge = f'Bearer error="insufficient_scope", scope="{self._settings.scope_prefix}{scope}"'
            raise Denied(403, "insufficient-scope", challenge, caller.subject)
        return caller

    async def _key(self, token: str) -> "PyJWK":
        import jwt

        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, RecursionError):
            raise _bad("malformed") from None
        if header.get("alg") not in self._settings.algorithms:
            raise _bad("algorithm-not-allowed")
        if str(header.get("typ", "JWT")).lower() not in _TYPES:
            raise _bad("not-an-access-token")
        if not isinstance(header.get("kid"), str):
            raise _bad("no-key-id")
        try:
            key = await self._keys.find(header["kid"])
        except KeysUnavailableError:
            raise Denied(503, "keys-unavailable") from None
        if key is None:
            raise _bad("unknown-key")
        return key

    def _verify(self, token: str, key: "PyJWK") -> Mapping[str, Any]:
        import jwt

        reasons: tuple[tuple[type[Exception], str], ...] = (
            (jwt.ExpiredSignatureError, "expired"),
            (jwt.ImmatureSignatureError, "not-yet-valid"),
            (jwt.InvalidAudienceError, "wrong-audience"),
            (jwt.InvalidIssuerError, "wrong-issuer"),
            (jwt.MissingRequiredClaimError, "claim-missing"),
            (jwt.InvalidSignatureError, "bad-signature"),
        )
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(self._settings.algorithms),
                audience=self._settings.audience,
                issuer=self._settings.issuer,
                leeway=self._settings.leeway_s,
                options={"require": list(_REQUIRED)},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise _bad(next((code for kind, code in reasons if isinstance(error, kind)), "invalid")) from None
        return claims

    def _scopes(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        prefix = self._settings.scope_prefix
        named = {word for claim in _SCOPE_CLAIMS for word in _words(claims.get(claim))}
        return frozenset(scope for scope in Scope if f"{prefix}{scope}" in named)


def _bearer(authorization: str | None) -> str:
    if not authorization:
        raise Denied(401, "no-token", "Bearer")
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise Denied(401, "no-token", "Bearer")
    if len(token) > _MOST_TOKEN_CHARS:
        raise _bad("too-long")
    return token.strip()


def _bad(reason: str) -> Denied:
    return Denied(401, reason, f'Bearer error="invalid_token", error_description="{reason}"')


def _subject(claims: Mapping[str, Any]) -> str:
    subject = claims["sub"]
    fits = isinstance(subject, str) and subject.isprintable() and 0 < len(subject) <= _MOST_SUBJECT_CHARS
    if not fits:
        raise _bad("bad-subject")
    return str(subject)


def _words(value: Any) -> list[str]:
    if isinstance(value, str):
        return value.split()
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
