"""The issuer's public keys (RFC 7517), fetched when needed and no oftener."""

import asyncio
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter_serving.access.settings import AccessSettings, require_tls

if TYPE_CHECKING:
    from jwt import PyJWK

_MOST_BYTES = 256 * 1024
_MOST_KEYS = 100
_FEWEST_RSA_BITS = 2048
_TIMEOUT_S = 5.0
_PATIENCE_S = 0.5
"""A known key waits no longer for a fetch, counted from its begin."""


class KeysUnavailableError(Exception):
    """There are no keys that may still be used, and none could be fetched."""


class KeySet:
    """Keys by id.

    Known keys serve for ``keys_for_s`` and, while fetching fails, ``keys_outlive_s`` longer. An unknown id
    may be a rotated key: it leads to a fetch, but whoever makes ids up can't make us fetch oftener than
    ``refetch_after_s``. A failed fetch isn't tried again for as long either. Callers with a known key don't
    wait for an issuer that hangs.

    Args:
        settings: where keys are and how long they serve.
    """

    def __init__(self, settings: AccessSettings) -> None:
        self._settings = settings
        self._keys: Mapping[str, PyJWK] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> "PyJWK | None":
        """The key called ``key_id``; None if the issuer has no such key.

        Raises:
            KeysUnavailableError: there is no telling.
        """
        if self._is_old() or key_id not in self._keys:
            await self._wait_for_fetch(is_known=key_id in self._keys and not self._is_too_old())
        if self._is_too_old():
            raise KeysUnavailableError
        return self._keys.get(key_id)

    async def _wait_for_fetch(self, *, is_known: bool) -> None:
        """Until a fetch, begun if it is time for one, has ended; a short while only for a known key."""
        if self._fetching is None or self._fetching.done():
            if not self._may_try():
                return
            self._tried_at = time.monotonic()
            self._fetching = asyncio.create_task(self._refresh())
        if is_known and self._settings.jwks_file is None:
            left = self._tried_at + _PATIENCE_S - time.monotonic()
            await asyncio.wait({self._fetching}, timeout=max(left, 0))
        else:
            await asyncio.shield(self._fetching)

    def _is_too_old(self) -> bool:
        longest = self._settings.keys_for_s + self._settings.keys_outlive_s
        return time.monotonic() - self._fetched_at > longest

    def _is_old(self) -> bool:
        return time.monotonic() - self._fetched_at > self._settings.keys_for_s

    def _may_try(self) -> bool:
        return time.monotonic() - self._tried_at >= self._settings.refetch_after_s

    async def _refresh(self) -> None:
        import httpx

        try:
            keys = _usable(await self._fetch(), self._settings.algorithms)
        except (OSError, ValueError, RecursionError, httpx.HTTPError, httpx.InvalidURL):
            return
        if keys:
            self._keys, self._fetched_at = keys, time.monotonic()

    async def _fetch(self) -> Any:
        if self._settings.jwks_file is not None:
            return json.loads(_read(self._settings.jwks_file))
        address = self._settings.jwks_uri or await self._discover()
        return await _get_json(address)

    async def _discover(self) -> str:
        """OpenID Connect Discovery 1.0 section 4."""
        found = await _get_json(f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self._settings.issuer:
            raise ValueError("the configuration is of another issuer")
        address = str(found.get("jwks_uri", ""))
        require_tls(address)
        return address


def _read(path: Path) -> bytes:
    with path.open("rb") as stream:
        body = stream.read(_MOST_BYTES + 1)
    if len(body) > _MOST_BYTES:
        raise ValueError("too large")
    return body


async def _get_json(address: str) -> dict[str, Any]:
    """A JSON object; a redirect, an error or more bytes than keys ever have are refused."""
    import httpx

    body = b""
    async with (
        asyncio.timeout(2 * _TIMEOUT_S),
        httpx.AsyncClient(timeout=_TIMEOUT_S, follow_redirects=False) as client,
        client.stream("GET", address, headers={"Accept": "application/json"}) as answer,
    ):
        if answer.status_code != 200:
            raise ValueError(f"answered {answer.status_code}")
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _MOST_BYTES:
                raise ValueError("too large")
    found = json.loads(body)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def _usable(body: Any, algorithms: tuple[str, ...]) -> "dict[str, PyJWK]":
    """The keys with an id that can check one of ``algorithms``; others in the set are left alone.

    A key without ``alg`` is for RS256, or what its curve says.
    """
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    listed = body.get("keys") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        raise ValueError("no key set")
    keys = {}
    for each in listed[:_MOST_KEYS]:
        if not isinstance(each, dict) or not isinstance(each.get("kid"), str) or each.get("kty") == "oct":
            continue
        if each.get("use", "sig") != "sig":
            continue
        try:
            key = PyJWK(each)
        except (PyJWTError, ValueError, TypeError, KeyError):
            continue
        if key.algorithm_name in algorithms and _is_strong(key):
            keys[each["kid"]] = key
    return keys


def _is_strong(key: "PyJWK") -> bool:
    return key.key_type != "RSA" or key.key.key_size >= _FEWEST_RSA_BITS
