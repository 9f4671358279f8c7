"""The training image, built as users build it and run as each service runs it: one set, one bundle.

Buildah builds it on a Debian that mmdebstrap makes here, in a store of the test's own; nothing of it stays.
Buildah's isolation ``chroot`` needs no runtime, namespaces or registry, so this works where CI runs.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

import pytest
from service_contracts import (
    PARAMETERS,
    SERVICES,
    TORCHRUN,
    TORCHRUN_ENVIRONMENT,
    Job,
    Start,
    dicom_dataset,
    gcs_service,
    s3_service,
    wait_for_step,
)

from isocenter.domain.digest import digest_tree
from isocenter_training.signals import STOPPED_EXIT_CODE

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
REPOSITORY = Path(__file__).parents[2]
LACKS = "LACKS: "
BASE = "localhost/isocenter-base"
SUITE = "bookworm"
_SOURCES = Path("/etc/apt/sources.list.d/debian.sources")
_SPACE = 8 * 2**30
_MARK = "OF_TEST"
_MIDDLE = 12
# One with directories, one with an object store; test_services.py stops the program under every service.
_STOPPED = ("sagemaker", "vertex")
_ADDRESSES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_DEFAULT_INDEX", "UV_INDEX")


@dataclass(frozen=True)
class Buildah:
    """Buildah with a store of its own."""

    environment: dict[str, str]

    def __call__(self, *words: str, timeout: float = 120) -> str:
        done = subprocess.run(
            ["buildah", *words], env=self.environment, capture_output=True, text=True, timeout=timeout
        )
        assert done.returncode == 0, done.stderr[-3000:]
        return done.stdout.strip()


@dataclass(frozen=True)
class Container:
    """A working container of the image, in which each test runs its program with mounts of its own."""

    buildah: Buildah
    name: str
    root: Path
    entry_point: tuple[str, ...]

    @contextmanager
    def started(self, start: Start, command: Sequence[str] = ()) -> Iterator["Process"]:
        """The program as ``start`` says, by ``command`` or the image's entry point; killed at the end."""
        mark = f"{_MARK}={uuid4().hex}"
        words = ["buildah", "run", "--cap-drop", "ALL", "--env", mark]
        words += [word for name, value in start.environment.items() for word in ("--env", f"{name}={value}")]
        words += [word for there, here in start.mounts.items() for word in ("--volume", f"{here}:{there}:rw")]
        words += ["--", self.name, *(command or self.entry_point), *start.arguments]
        pipe = subprocess.PIPE
        client = subprocess.Popen(words, env=self.buildah.environment, stdout=pipe, stderr=pipe, text=True)
        process = Process(client, mark.encode())
        try:
            yield process
        finally:
            process.signal(signal.SIGKILL)
            client.kill()
            client.communicate()


@dataclass(frozen=True)
class Process:
    """A program in a container: with the isolation ``chroot``, a process of this machine like others."""

    client: "subprocess.Popen[str]"
    mark: bytes

    def signal(self, number: int) -> None:
        """To the container's first process, as services do; companions follow it."""
        for path in Path("/proc").glob("[0-9]*"):
            try:
                found = (path / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            is_companion = any(name.startswith(b"ISOCENTER_COMPANION_OF=") for name in found)
            if self.mark in found and (number == signal.SIGKILL or not is_companion):
                os.kill(int(path.name), number)

    def wait(self, timeout: float = 120) -> tuple[int, str]:
        """Exit code and standard error."""
        _, errors = self.client.communicate(timeout=timeout)
        return self.client.returncode, errors


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    """Buildah, with a store that is removed."""
    if not shutil.which("buildah") or not shutil.which("mmdebstrap") or os.getuid():
        pytest.skip(f"{LACKS}buildah and mmdebstrap, run as root: the training image was not built and run")
    root = tmp_path_factory.mktemp("image-store")
    if shutil.disk_usage(root).free < _SPACE:
        pytest.skip(f"{LACKS}8 GiB of free disk: the training image was not built and run")
    settings = {
        "CONTAINERS_STORAGE_CONF": str(root / "storage.conf"),
        "STORAGE_DRIVER": _storage_driver(root),
        "BUILDAH_ISOLATION": "chroot",
        "TMPDIR": str(root),
        "ENGINE": "buildah",
    }
    (root / "storage.conf").write_text(
        f'[storage]\ndriver = "{settings["STORAGE_DRIVER"]}"\n'
        f'graphroot = "{root}/graph"\nrunroot = "{root}/run"\n'
    )
    found = Buildah(
        {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"} | settings
    )
    try:
        yield found
    finally:
        found("umount", "--all")
        found("rm", "--all")
        # buildah leaves its store mounted on itself, which nobody could remove.
        for name in ("overlay", ""):
            subprocess.run(["umount", str(root / "graph" / name)], capture_output=True, check=False)
        shutil.rmtree(root, ignore_errors=True)


def _storage_driver(root: Path) -> str:
    """overlay where the kernel lets us mount one here, else vfs, which copies every layer."""
    folders = {name: root / "try" / name for name in ("lower", "upper", "work", "merged")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    options = f"lowerdir={folders['lower']},upperdir={folders['upper']},workdir={folders['work']}"
    mounted = subprocess.run(
        ["mount", "-t", "overlay", "overlay", "-o", options, str(folders["merged"])],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        return "vfs"
    subprocess.run(["umount", str(folders["merged"])], check=True)
    return "overlay"


@pytest.fixture(scope="module")
def base(buildah: Buildah, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian by mmdebstrap, from where this machine has its packages; with what both stages install."""
    folder = tmp_path_factory.mktemp("debian")
    sources = [str(_SOURCES)] if _SOURCES.exists() else []
    words = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates,python3-venv"]
    words += [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "locale")]
    made = subprocess.run(
        [*words, SUITE, str(folder / "base.tar"), *sources], capture_output=True, text=True, timeout=300
    )
    if made.returncode:
        pytest.skip(f"{LACKS}Debian's packages for mmdebstrap: the training image was not built and run")
    (folder / "Containerfile").write_text("FROM scratch\nADD base.tar /\n")
    buildah("build", "--quiet", "--layers=false", "--tag", BASE, str(folder))
    shutil.rmtree(folder)
    return BASE


@pytest.fixture(scope="module")
def image(buildah: Buildah, base: str) -> str:
    """What ``make image`` made: its id."""
    made = subprocess.run(
        ["make", "--silent", "image", "IMAGE=training", f"BASE={base}"],
        cwd=REPOSITORY,
        env=buildah.environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert made.returncode == 0, made.stderr[-5000:]
    tag, found = made.stdout.split()[-2:]
    assert tag == "isocenter-training:cpu"
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", found)
    return found


@pytest.fixture(scope="module")
def container(buildah: Buildah, image: str) -> Container:
    name = buildah("from", "--pull-never", image.removeprefix("sha256:"))
    facts = json.loads(buildah("inspect", "--type", "container", name))
    entry_point = tuple(facts["OCIv1"]["config"]["Entrypoint"])
    return Container(buildah, name, Path(buildah("mount", name)), entry_point)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dicom_dataset(tmp_path_factory.mktemp("dicom"))


@pytest.fixture(scope="module")
def job(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Job]]:
    """Makes the job for a service; object stores run beside it."""
    with s3_service() as s3, gcs_service(tmp_path_factory.mktemp("gcs")) as gcs:

        def make(service: str) -> Job:
            root = tmp_path_factory.mktemp("run-" + service)
            return Job(root, dataset, PARAMETERS, in_image=True, s3=s3, gcs=gcs)

        yield make


@pytest.fixture(scope="module")
def by_torchrun(container: Container, job: Callable[[str], Job]) -> str:
    """Digest of the bundle that two processes of torchrun leave, never stopped."""
    start = job("torchrun").on("local")
    command = [container.entry_point[0], *TORCHRUN, *container.entry_point[1:]]
    told = replace(start, environment={**start.environment, **TORCHRUN_ENVIRONMENT})
    with container.started(told, command) as process:
        code, errors = process.wait(200)
    assert code == 0, errors
    assert "process 0 of 2" in errors
    return digest_tree(start.model())


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_leaves_the_bundle_of_torchrun(
    service: str, container: Container, job: Callable[[str], Job], by_torchrun: str
) -> None:
    start = job(service).on(service)
    if service in _STOPPED:
        with container.started(start) as process:
            wait_for_step(process.client, _MIDDLE)
            process.signal(signal.SIGTERM)
            code, errors = process.wait()
        assert code == STOPPED_EXIT_CODE, errors
    with container.started(start) as process:
        code, errors = process.wait()
    assert code == 0, errors
    assert f"Service: {service} (" in errors
    assert ("Continuing from the checkpoint" in errors) == (service in _STOPPED)
    assert digest_tree(start.model()) == by_torchrun


def test_image_says_what_it_is_and_is_not_root(buildah: Buildah, image: str) -> None:
    facts = json.loads(buildah("inspect", "--type", "image", image.removeprefix("sha256:")))
    config = facts["OCIv1"]["config"]
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["/opt/isocenter/bin/python", "-m", "isocenter_training"]
    labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()}
    commit = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    assert labels["revision"] == _said(*commit)
    created = int(_said("git", "log", "-1", "--format=%ct"))
    assert labels["created"] == time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created))
    assert facts["OCIv1"]["created"] == labels["created"]
    assert (labels["title"], labels["variant"], labels["name"]) == ("isocenter-training", "cpu", BASE)


def test_packages_are_pinned_and_listed(container: Container) -> None:
    listed = json.loads((container.root / "usr/share/isocenter/packages.cdx.json").read_text())
    versions = {each["name"]: each["version"] for each in listed["components"]}
    assert versions["torch"] == "2.13.0+cpu"
    rows = re.findall(r"^([\w.-]+)==([\w.+!-]+)", (REPOSITORY / "constraints.txt").read_text(), re.MULTILINE)
    for name, version in rows:
        assert versions.get(name, version).startswith(version), name
    assert not (container.root / "opt/isocenter/bin/pip").exists()


def test_nothing_of_the_build_is_left(buildah: Buildah, image: str, container: Container) -> None:
    for path in ("source", "cache", "tools", "wheels", "run/secrets/index", "run/secrets/ca", "root/.cache"):
        assert not (container.root / path).exists(), path
    addresses = {os.environ[name] for name in _ADDRESSES if os.environ.get(name)}
    record = buildah("inspect", "--type", "image", image.removeprefix("sha256:"))
    for address in addresses:
        assert address not in record
        folders = [str(container.root / name) for name in ("opt/isocenter", "usr/share/isocenter", "etc")]
        found = subprocess.run(
            ["grep", "-rlIF", "--exclude=*.py", "-e", address, *folders],
            capture_output=True,
            text=True,
        )
        assert not found.stdout, address


def _said(*command: str) -> str:
    return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.strip()
