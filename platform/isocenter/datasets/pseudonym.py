"""Keyed pseudonyms: HMAC-SHA256 (RFC 2104) of identifiers under the site secret."""

import hmac
from dataclasses import dataclass


@dataclass(frozen=True, repr=False)
class Pseudonyms:
    """Turns identifiers into pseudonyms that nobody can reverse or recompute without the secret.

    Args:
        secret: the site secret; ``repr`` doesn't show it.
    """

    secret: bytes

    def key(self, kind: str, *values: str | bytes | int) -> str:
        """64 hex digits for ``values``.

        Args:
            kind: what the values are, e.g. ``"patient"``; the same value of another kind gives another key.
            values: the identifier's parts; ``("ab", "c")`` and ``("a", "bc")`` differ.
        """
        parts = [kind.encode(), *map(_encode, values)]
        message = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self.secret, message, "sha256").hex()


def _encode(value: str | bytes | int) -> bytes:
    if isinstance(value, bytes):
        return value
    # File names may hold bytes that are no UTF-8; the standard library carries them as lone surrogates.
    return str(value).encode("utf-8", "surrogateescape")
