"""The Ed25519 key that signs the heads of one trail, as PEM files that openssl reads too (RFC 8410).

The key is ``HOME/audit/signing.key`` (mode 0600), made on first use, or the file named by
``$ISOCENTER_AUDIT_KEY_FILE``: machines that share one PostgreSQL trail share one key.
"""

import base64
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.errors import EnvironmentFaultError, InputError
from isocenter.home import Home
from isocenter.storage.atomic import write_bytes_once

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

# The DER of an Ed25519 key is constant but for its last 32 bytes (RFC 8410 section 10). Written here,
# it saves the import of cryptography's serialization, which costs more than a whole append.
_PRIVATE_DER = bytes.fromhex("302e020100300506032b657004220420")
_PUBLIC_DER = bytes.fromhex("302a300506032b6570032100")


@dataclass(frozen=True)
class PublicKey:
    """What checks a head's signature.

    Args:
        raw: the 32 bytes of the Ed25519 key.
    """

    raw: bytes

    @property
    def key_id(self) -> str:
        """SHA-256 of the key's DER (SubjectPublicKeyInfo), in hexadecimal."""
        return hashlib.sha256(_PUBLIC_DER + self.raw).hexdigest()

    def pem(self) -> bytes:
        """The key as PEM."""
        return _pem("PUBLIC KEY", _PUBLIC_DER + self.raw)

    def accepts(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` is this key's on ``message``."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._loaded().verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def _loaded(self) -> "Ed25519PublicKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        return Ed25519PublicKey.from_public_bytes(self.raw)


class SigningKey:
    """Signs heads.

    Args:
        seed: the 32 secret bytes.
    """

    def __init__(self, seed: bytes) -> None:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        self._key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """The signature (64 bytes) on ``message``."""
        return self._key.sign(message)


def key_file(home: Home) -> Path:
    """Where the secret key is."""
    return Path(os.environ.get("ISOCENTER_AUDIT_KEY_FILE") or home.audit / "signing.key")


def public_key_file(home: Home) -> Path:
    """Where the public key is, for copying it elsewhere."""
    return home.audit / "signing.pub"


def load_signing_key(home: Home, *, create: bool) -> SigningKey:
    """The key of this store's trail.

    Args:
        home: the store.
        create: make a key where there is none; only right when nothing was ever signed.

    Raises:
        EnvironmentFaultError: the key is absent (and ``create`` is false), can't be read or is no key.
    """
    path = key_file(home)
    if create:
        home.audit.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_bytes_once(path, lambda: _pem("PRIVATE KEY", _PRIVATE_DER + os.urandom(32)), mode=0o600)
    try:
        key = SigningKey(_unpem(path.read_bytes(), "PRIVATE KEY", _PRIVATE_DER))
    except (OSError, ValueError) as error:
        raise EnvironmentFaultError(
            f"The key that signs the audit trail, {path}, is missing or damaged.",
            hint="Restore it from its backup; without it no action can be recorded.",
        ) from error
    write_bytes_once(public_key_file(home), key.public.pem)
    return key


def own_public_key(home: Home) -> PublicKey | None:
    """This store's public key: of the signing key, else of the public file; None if neither can be read."""
    try:
        return SigningKey(_unpem(key_file(home).read_bytes(), "PRIVATE KEY", _PRIVATE_DER)).public
    except (OSError, ValueError):
        pass
    try:
        return PublicKey(_unpem(public_key_file(home).read_bytes(), "PUBLIC KEY", _PUBLIC_DER))
    except (OSError, ValueError):
        return None


def read_public_key(path: Path) -> PublicKey:
    """The public key in a PEM file.

    Raises:
        InputError: the file can't be read or holds no Ed25519 public key.
    """
    try:
        return PublicKey(_unpem(path.read_bytes(), "PUBLIC KEY", _PUBLIC_DER))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} holds no Ed25519 public key in PEM.") from error


def _pem(label: str, der: bytes) -> bytes:
    body = base64.b64encode(der).decode()
    return f"-----BEGIN {label}-----\n{body}\n-----END {label}-----\n".encode()


def _unpem(text: bytes, label: str, prefix: bytes) -> bytes:
    lines = text.decode("ascii").split("\n")
    lines = [line.strip() for line in lines if line.strip()]
    if len(lines) < 3 or lines[0] != f"-----BEGIN {label}-----" or lines[-1] != f"-----END {label}-----":
        raise ValueError("not PEM of this kind")
    der = base64.b64decode("".join(lines[1:-1]), validate=True)
    if len(der) != len(prefix) + 32 or not der.startswith(prefix):
        raise ValueError("not an Ed25519 key")
    return der[len(prefix) :]
