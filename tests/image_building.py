"""Buildah, and containers of the images that ``make image`` builds with it, run as each service runs them.

Its isolation ``chroot`` needs no runtime, namespaces or registry, so this works where CI runs.
"""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from service_contracts import Start

REPOSITORY = Path(__file__).parents[1]
_MARK = "OF_TEST"


@dataclass(frozen=True)
class Buildah:
    """Buildah with a store of its own."""

    environment: dict[str, str]

    def make_image(self, image: str, base: str) -> str:
        """What ``make image`` makes of ``image``: its id."""
        made = subprocess.run(
            ["make", "--silent", "image", f"IMAGE={image}", f"BASE={base}"],
            cwd=REPOSITORY,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert made.returncode == 0, made.stderr[-5000:]
        tag, found = made.stdout.split()[-2:]
        assert tag == f"isocenter-{image}:cpu"
        assert re.fullmatch(r"sha256:[0-9a-f]{64}", found)
        return found

    def container(self, image: str) -> "Container":
        """A working container of the image whose id this is."""
        name = self("from", "--pull-never", image.removeprefix("sha256:"))
        facts = json.loads(self("inspect", "--type", "container", name))
        config = facts["OCIv1"]["config"]
        entry_point = (*config["Entrypoint"], *(config.get("Cmd") or ()))
        return Container(self, name, Path(self("mount", name)), entry_point)

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


def storage_driver(root: Path) -> str:
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
