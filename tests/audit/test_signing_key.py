"""Keys on disk, as openssl sees them too."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from isocenter.audit.signing_key import (
    key_file,
    load_signing_key,
    own_public_key,
    public_key_file,
    read_public_key,
)
from isocenter.errors import EnvironmentFaultError, InputError
from isocenter.home import Home


def test_a_key_is_made_once_and_kept_from_others(home: Home) -> None:
    first = load_signing_key(home, create=True)
    second = load_signing_key(home, create=True)
    assert first.public == second.public == read_public_key(public_key_file(home)) == own_public_key(home)
    assert stat.S_IMODE(key_file(home).stat().st_mode) == 0o600
    assert stat.S_IMODE(home.audit.stat().st_mode) == 0o700


def test_no_key_is_made_where_one_must_be(home: Home) -> None:
    with pytest.raises(EnvironmentFaultError, match="missing or damaged"):
        load_signing_key(home, create=False)
    assert not key_file(home).exists()
    assert own_public_key(home) is None


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_a_damaged_key_is_refused(home: Home, content: bytes) -> None:
    load_signing_key(home, create=True)
    key_file(home).chmod(0o600)
    key_file(home).write_bytes(content)
    with pytest.raises(EnvironmentFaultError, match="missing or damaged"):
        load_signing_key(home, create=True)


def test_the_public_file_is_enough_to_verify(home: Home) -> None:
    key = load_signing_key(home, create=True)
    key_file(home).unlink()
    assert own_public_key(home) == key.public
    public_key_file(home).write_text("no key")
    assert own_public_key(home) is None
    with pytest.raises(InputError, match="no Ed25519 public key"):
        read_public_key(public_key_file(home))


def test_the_key_may_lie_elsewhere(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_AUDIT_KEY_FILE", str(tmp_path / "shared" / "audit.key"))
    load_signing_key(home, create=True)
    assert (tmp_path / "shared" / "audit.key").exists()
    assert not (home.audit / "signing.key").exists()


def test_a_signature_holds_for_its_message_and_key_only(home: Home, tmp_path: Path) -> None:
    key, other = load_signing_key(home, create=True), load_signing_key(Home(tmp_path), create=True)
    signature = key.sign(b"message")
    assert key.public.accepts(signature, b"message")
    assert not key.public.accepts(signature, b"messagE")
    assert not other.public.accepts(signature, b"message")
    assert not key.public.accepts(b"short", b"message")


def test_openssl_reads_both_keys_and_accepts_our_signature(home: Home, tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        pytest.skip("LACKS: openssl; on Debian: sudo apt-get install openssl")
    key = load_signing_key(home, create=True)
    (tmp_path / "message").write_bytes(b"message")
    (tmp_path / "signature").write_bytes(key.sign(b"message"))
    derived = subprocess.run(
        ["openssl", "pkey", "-in", key_file(home), "-pubout"], capture_output=True, check=True
    )
    assert derived.stdout == public_key_file(home).read_bytes()
    verify = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", public_key_file(home), "-rawin"]
    verify += ["-in", tmp_path / "message", "-sigfile", tmp_path / "signature"]
    assert subprocess.run(verify, capture_output=True, check=False).returncode == 0
