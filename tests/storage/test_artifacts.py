"""The artifact store on real files."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.domain.artifact import MediaType
from isocenter.domain.digest import digest_tree
from isocenter.errors import EnvironmentFaultError, InputError, IntegrityError, NotFoundError
from isocenter.home import Home
from isocenter.storage.artifact_files import parse_file_list
from isocenter.storage.artifacts import ArtifactStore, list_file


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "models").mkdir(parents=True)
    (folder / "models" / "model.bin").write_bytes(os.urandom(50_000))
    (folder / "README.md").write_text("hello")
    (folder / "name with\nnewline Ü").write_text("x")
    return folder


def publish(store: ArtifactStore, folder: Path) -> str:
    return store.publish(folder, name="model", media_type=MediaType.BUNDLE).digest


def test_what_is_published_is_the_same_files_read_only(home: Home, bundle: Path) -> None:
    store = ArtifactStore(home)
    artifact = store.publish(bundle, name="model", media_type=MediaType.BUNDLE)
    published = store.path(artifact.digest)
    assert artifact.digest == digest_tree(bundle) == digest_tree(published)
    assert Path(artifact.uri) == published
    assert artifact.size == sum(file.stat().st_size for file in bundle.rglob("*") if file.is_file())
    modes = {stat.S_IMODE(file.stat().st_mode) for file in published.rglob("*") if file.is_file()}
    assert modes == {0o444}
    store.verify(artifact.digest)


def test_publishing_again_changes_nothing(home: Home, bundle: Path) -> None:
    store = ArtifactStore(home)
    first = publish(store, bundle)
    before = store.path(first).stat().st_ino
    assert publish(store, bundle) == first
    assert store.path(first).stat().st_ino == before


def _edit(published: Path) -> None:
    (published / "README.md").chmod(0o644)
    (published / "README.md").write_text("hellO")


def _link(published: Path) -> None:
    (published / "README.md").unlink()
    (published / "README.md").symlink_to("models/model.bin")


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (_edit, "'README.md' was changed"),
        (lambda place: (place / "README.md").unlink(), "'README.md' is missing"),
        (lambda place: (place / "models" / "extra").write_text(""), "'models/extra' was added"),
        (_link, "'README.md' is no longer a plain file"),
        (lambda place: list_file(place).unlink(), "file list"),
        (lambda place: (list_file(place).chmod(0o644), list_file(place).write_text("[]")), "file list"),
    ],
)
def test_verify_names_what_was_done(home: Home, bundle: Path, tamper: object, says: str) -> None:
    store = ArtifactStore(home)
    digest = publish(store, bundle)
    tamper(store.path(digest))  # type: ignore[operator]
    with pytest.raises(IntegrityError, match=says):
        store.verify(digest)
    with pytest.raises(IntegrityError, match=says):
        publish(store, bundle)


def test_links_devices_and_nothing_are_refused(home: Home, tmp_path: Path) -> None:
    store, folder = ArtifactStore(home), tmp_path / "folder"
    with pytest.raises(InputError, match="not a directory"):
        publish(store, folder)
    (folder / "empty").mkdir(parents=True)
    with pytest.raises(InputError, match="no files"):
        publish(store, folder)
    (folder / "outside").symlink_to("/etc/passwd")
    with pytest.raises(InputError, match="'outside' is a link"):
        publish(store, folder)
    (folder / "outside").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(InputError, match="'pipe' is a link or a device"):
        publish(store, folder)
    (folder / "pipe").unlink()
    (tmp_path / "linked").symlink_to(folder)
    with pytest.raises(InputError, match="not a directory"):
        publish(store, tmp_path / "linked")
    (folder / os.fsdecode(b"not-utf8-\xff")).write_text("x")
    with pytest.raises(InputError, match="Unicode"):
        publish(store, folder)


@pytest.mark.parametrize("name", ["", "sha256:..", "../../etc", "sha256:" + "A" * 64, "sha256:" + "a" * 63])
def test_what_is_no_digest_reaches_no_file(home: Home, name: str) -> None:
    with pytest.raises(InputError, match="is not a digest"):
        ArtifactStore(home).path(name)


def test_an_unknown_digest_is_not_found(home: Home) -> None:
    with pytest.raises(NotFoundError):
        ArtifactStore(home).verify("sha256:" + "0" * 64)


PUBLISH = (
    "import sys\nfrom pathlib import Path\nfrom isocenter.home import open_home\n"
    "from isocenter.domain.artifact import MediaType\nfrom isocenter.storage.artifacts import ArtifactStore\n"
    "ArtifactStore(open_home()).publish(Path(sys.argv[1]), name='model', media_type=MediaType.BUNDLE)\n"
)


def test_several_processes_may_publish_the_same(home: Home, bundle: Path) -> None:
    started = [subprocess.Popen([sys.executable, "-c", PUBLISH, bundle]) for _ in range(4)]
    assert [process.wait() for process in started] == [0, 0, 0, 0]
    ArtifactStore(home).verify(digest_tree(bundle))
    assert not list(home.artifacts.glob("sha256/??/.tmp-*"))


def test_a_kill_while_publishing_leaves_nothing_under_the_digest(home: Home, bundle: Path) -> None:
    die = "import os, signal, isocenter.storage.atomic as a\n"
    die += "a.fsync_tree = lambda root: os.kill(os.getpid(), signal.SIGKILL)\n"
    done = subprocess.run([sys.executable, "-c", die + PUBLISH, bundle], check=False)
    store = ArtifactStore(home)
    assert done.returncode == -signal.SIGKILL
    with pytest.raises(NotFoundError):
        store.path(digest_tree(bundle))
    (left,) = home.artifacts.glob("sha256/??/.tmp-*")
    yesterday = time.time() - 2 * 24 * 3600
    os.utime(left, (yesterday, yesterday))
    store.verify(publish(store, bundle))
    assert not left.exists()


def test_a_mirror_holds_the_same_and_gives_it_to_another_store(
    home: Home, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCENTER_ARTIFACTS_URL", f"file://{tmp_path}/mirror")
    digest = publish(ArtifactStore(home), bundle)
    (tmp_path / "elsewhere").mkdir()
    other = ArtifactStore(Home(tmp_path / "elsewhere"))
    assert digest_tree(other.path(digest)) == digest
    other.verify(digest)
    with pytest.raises(NotFoundError):
        other.path("sha256:" + "0" * 64)


def test_a_damaged_mirror_gives_nothing(
    home: Home, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ISOCENTER_ARTIFACTS_URL", f"file://{tmp_path}/mirror")
    digest = publish(ArtifactStore(home), bundle)
    (copy,) = (tmp_path / "mirror").rglob("README.md")
    copy.write_text("other")
    shutil.rmtree(home.artifacts)
    with pytest.raises(IntegrityError, match=r"README\.md"):
        ArtifactStore(home).path(digest)
    assert not ArtifactStore(home).place(digest).exists()
    copy.unlink()
    with pytest.raises(IntegrityError, match=r"README\.md"):
        ArtifactStore(home).path(digest)
    for file in (tmp_path / "mirror").rglob("*.json"):
        file.write_text("[]")
    with pytest.raises(IntegrityError, match="file list"):
        ArtifactStore(home).path(digest)


def test_a_kind_of_url_without_driver_says_so(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISOCENTER_ARTIFACTS_URL", "nosuchscheme://bucket")
    with pytest.raises(EnvironmentFaultError, match="no driver for 'nosuchscheme'"):
        ArtifactStore(home)


@settings(max_examples=30, deadline=None)
@given(st.binary(max_size=200))
def test_a_file_list_that_does_not_match_its_digest_is_never_used(content: bytes) -> None:
    with pytest.raises(ValueError, match="not the file list"):
        parse_file_list(content, "sha256:" + "0" * 64)


@pytest.mark.parametrize("name", ["../escape", "/etc/passwd", "a/../../b"])
def test_a_file_list_that_leads_outside_is_refused(name: str) -> None:
    from isocenter.domain.digest import canonical_json, digest_bytes

    content = canonical_json([[name, 1, "sha256:" + "0" * 64]])
    with pytest.raises(ValueError, match="outside"):
        parse_file_list(content, digest_bytes(content))
