"""TLS of a server of ours: a certificate, its key, and whose clients are let in. What is weak is refused."""

import ssl
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from isocenter.errors import InputError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

# TLS 1.2 with forward secrecy and authenticated encryption only; 1.3 has nothing else (RFC 9325 section 4.2).
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
_FEWEST_RSA_BITS, _FEWEST_CURVE_BITS = 2048, 256
_BROKEN_HASHES = frozenset(("md5", "sha1"))


@dataclass(frozen=True)
class TlsFiles:
    """Where they are.

    Args:
        certificate: PEM: the server's certificate, then those between it and its authority.
        key: PEM: its secret key, not encrypted.
        client_ca: PEM: authorities of clients (mutual TLS); None lets any client come as far as its token.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None

    def as_json(self) -> dict[str, str]:
        """JSON-able fields."""
        found = {"certificate": str(self.certificate), "key": str(self.key)}
        return found | ({"client_ca": str(self.client_ca)} if self.client_ca else {})


def tls_files(
    certificate: str | Path | None, key: str | Path | None, ca: str | Path | None
) -> TlsFiles | None:
    """The files that were named; None where none was.

    Raises:
        InputError: one is missing that the others need.
    """
    if not certificate and not key and not ca:
        return None
    if not certificate or not key:
        raise InputError("TLS needs both, a certificate and its key (tls-certificate, tls-key).")
    return TlsFiles(Path(certificate), Path(key), Path(ca) if ca else None)


def files_from_json(value: Mapping[str, str]) -> TlsFiles:
    """The files of :meth:`TlsFiles.as_json`."""
    return TlsFiles(*(Path(value[name]) for name in ("certificate", "key", "client_ca") if name in value))


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """What a listening socket is wrapped with.

    Raises:
        InputError: a file can't be read, doesn't fit, has expired or is weak; the message says which and why.
    """
    (leaf, *_) = chain = _certificates(files.certificate, "certificate")
    for each in chain:
        _refuse_weak(each, files.certificate)
    _refuse_nameless(leaf, files.certificate)
    _refuse_open_key(files.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise InputError(
            f"The TLS key {files.key.name} is not that of the certificate {files.certificate.name},"
            " is encrypted, or is no key.",
            hint="It must be a PEM file without a password.",
        ) from error
    if files.client_ca is not None:
        _require_clients(context, files.client_ca)
    return context


def _require_clients(context: ssl.SSLContext, path: Path) -> None:
    from cryptography import x509

    for each in _certificates(path, "client authority"):
        _refuse_weak(each, path)
        try:
            is_authority = each.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        except x509.ExtensionNotFound:
            is_authority = False
        if not is_authority:
            raise InputError(
                f"A certificate in {path.name} is not an authority's, so it can't vouch for clients.",
                hint="Name the authority that signs your clients' certificates (tls-client-ca).",
            )
    context.load_verify_locations(path)
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT


def _certificates(path: Path, what: str) -> "Sequence[Certificate]":
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise InputError(f"The TLS {what} {path.name} can't be read: {error.strerror}.") from error
    except ValueError as error:
        raise InputError(f"The TLS {what} {path.name} holds no certificate in PEM.") from error


def _refuse_weak(certificate: "Certificate", path: Path) -> None:
    """Raise InputError for what clients refuse, or should."""
    from cryptography.hazmat.primitives.asymmetric import ec, rsa

    now, key = datetime.now(UTC), certificate.public_key()
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        until = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        raise InputError(f"A certificate in {path.name} is not valid now, but from {until}.")
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _FEWEST_RSA_BITS:
        raise InputError(f"A key in {path.name} has {key.key_size} bits; RSA needs {_FEWEST_RSA_BITS}.")
    if isinstance(key, ec.EllipticCurvePublicKey) and key.curve.key_size < _FEWEST_CURVE_BITS:
        raise InputError(f"A key in {path.name} is on the curve {key.curve.name}; use P-256 or better.")
    algorithm = certificate.signature_hash_algorithm
    if algorithm is not None and algorithm.name in _BROKEN_HASHES:
        raise InputError(f"A certificate in {path.name} is signed with {algorithm.name}; use SHA-256.")


def _refuse_nameless(certificate: "Certificate", path: Path) -> None:
    from cryptography import x509

    try:
        certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        raise InputError(
            f"The certificate {path.name} names no host in its subjectAltName, so no client accepts it."
        ) from None


def _refuse_open_key(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise InputError(f"The TLS key {path.name} can't be read: {error.strerror}.") from error
    if mode & stat.S_IRWXO:
        raise InputError(
            f"Everybody on this machine may read or change the TLS key {path.name}.",
            hint="chmod o= on it; of a Kubernetes secret: defaultMode: 0440.",
        )


def _no_password() -> str:
    """In place of a question on the terminal."""
    raise ValueError("encrypted")
