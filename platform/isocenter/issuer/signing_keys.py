"""The issuer's keys: one signs, and those before it still count until their last token has expired.

``HOME/issuer/`` holds ``signing.json`` (the secret key, mode 0600) and ``jwks.json`` (what endpoints read).
"""

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.errors import EnvironmentFaultError
from isocenter.home import Home
from isocenter.storage.atomic import write_bytes

LONGEST_TOKEN_S = 24 * 3600
"""No token lives longer; so long a key that no longer signs stays published."""

ALGORITHM = "ES256"


@dataclass(frozen=True)
class IssuerKeys:
    """The keys on disk.

    Args:
        folder: where they are.
        signing: the secret key that signs, as a JWK (RFC 7517).
    """

    folder: Path
    signing: Mapping[str, Any]

    @property
    def issuer(self) -> str:
        """Name of this store's issuer: what a token's ``iss`` and an endpoint's settings say."""
        return issuer_name(self.folder)

    @property
    def jwks_file(self) -> Path:
        """The public keys."""
        return self.folder / "jwks.json"


def issuer_name(folder: Path) -> str:
    """A URN that differs between stores; tokens of one aren't taken by another's endpoints."""
    return f"urn:isocenter:development:{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}"


def open_issuer_keys(home: Home) -> IssuerKeys:
    """The keys of this store, made on first use.

    Raises:
        EnvironmentFaultError: they can't be read.
    """
    folder = home.root / "issuer"
    with _lock(home):
        if not (folder / "signing.json").exists():
            _add_key(folder, {"keys": []})
    return IssuerKeys(folder, _read(folder / "signing.json"))


def rotate_issuer_keys(home: Home) -> IssuerKeys:
    """Sign with a new key from now on. Tokens of the old one are taken until they expire.

    Raises:
        EnvironmentFaultError: the keys can't be read.
    """
    open_issuer_keys(home)
    folder = home.root / "issuer"
    with _lock(home):
        published = _read(folder / "jwks.json")
        oldest = time.time() - LONGEST_TOKEN_S
        kept = [key for key in published["keys"] if key.get("retired_at", time.time()) > oldest]
        _add_key(folder, {"keys": [{"retired_at": int(time.time()), **key} for key in kept]})
    return open_issuer_keys(home)


def revoke_issuer_keys(home: Home) -> IssuerKeys:
    """Start with one new key; every token that was ever issued is refused from now on."""
    with _lock(home):
        _add_key(home.root / "issuer", {"keys": []})
    return open_issuer_keys(home)


def _add_key(folder: Path, published: Mapping[str, Any]) -> None:
    """Publish a new key first, then sign with it: no endpoint meets a token whose key it can't find."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from jwt.algorithms import ECAlgorithm

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    secret = ECAlgorithm.to_jwk(key, as_dict=True)
    public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    named = {"kid": _thumbprint(public), "use": "sig", "alg": ALGORITHM}
    keys = [*published["keys"], {**public, **named}]
    write_bytes(folder / "jwks.json", json.dumps({"keys": keys}).encode())
    write_bytes(folder / "signing.json", json.dumps({**secret, **named}).encode(), mode=0o600)


def _thumbprint(public: Mapping[str, Any]) -> str:
    """RFC 7638."""
    required = {name: public[name] for name in ("crv", "kty", "x", "y")}
    canonical = json.dumps(required, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise EnvironmentFaultError(
            f"The development issuer's {path.name} is missing or damaged.",
            hint=f"Remove {path.parent} and make new tokens: isocenter endpoint token.",
        ) from error
    if not isinstance(found, dict):
        raise EnvironmentFaultError(f"The development issuer's {path.name} is damaged.")
    return found


def _lock(home: Home) -> Any:
    from filelock import FileLock

    home.locks.mkdir(parents=True, exist_ok=True)
    return FileLock(home.locks / "issuer.lock", timeout=30)
