"""Which emulators there are; starting one, in this process or apart from it, and ending it."""

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from isocenter.emulators.descriptor_file import known_port, write_descriptor
from isocenter.errors import EnvironmentFaultError, InputError
from isocenter.home import Home
from isocenter.storage.atomic import write_bytes
from isocenter.targets.descriptor import DeploymentDescriptor

# What stands for the entry points of the images of training and serving.
PROGRAM = (sys.executable, "-m", "isocenter_training")
SERVING_PROGRAM = (sys.executable, "-m", "isocenter_serving")
# Cloud -> where its emulator lives, and the extra that brings what it is made of.
EMULATORS: Mapping[str, tuple[str, str]] = {
    "aws": ("isocenter.emulators.aws.emulator:AwsEmulator", "aws-emulator"),
    "azure": ("isocenter.emulators.azure.emulator:AzureEmulator", "azure"),
    "gcp": ("isocenter.emulators.gcp.emulator:GcpEmulator", "gcp-emulator"),
    "kubernetes": ("isocenter.emulators.kubernetes.emulator:KubernetesEmulator", "kubernetes-emulator"),
}
_START_S = 60.0
_POLL_S = 0.05


class Emulator(Protocol):
    """One emulated cloud. Made with ``(scratch, program, serving_program=...)``: a folder for what it keeps,
    and what stands for the entry points of the images of training and serving.
    """

    def start(self, name: str, port: int) -> DeploymentDescriptor:
        """Answer at ``port`` (0: a free one) in threads of this process.

        Args:
            name: of the target.
            port: of 127.0.0.1.

        Returns:
            what the target is, ``emulated`` and with its endpoints.

        Raises:
            OSError: the port is taken.
        """
        ...

    @property
    def is_new(self) -> bool:
        """Whether it holds nothing of an earlier one; known once it has started."""
        ...

    def close(self) -> None:
        """Stop the jobs that go on and answer no more."""
        ...


class EmulatorFactory(Protocol):
    """How an emulator is made."""

    def __call__(self, scratch: Path, program: Sequence[str], *, serving_program: Sequence[str]) -> Emulator:
        """The emulator that keeps its state in ``scratch``."""
        ...


@dataclass(frozen=True)
class Running:
    """An emulator that answers.

    Args:
        cloud: which.
        descriptor: what the target is.
        path: the descriptor's file.
        pid: of its process.
        is_new: it began with nothing of an earlier one.
    """

    cloud: str
    descriptor: DeploymentDescriptor
    path: Path
    pid: int
    is_new: bool


def load_emulator(
    cloud: str,
    scratch: Path,
    program: Sequence[str] = PROGRAM,
    serving_program: Sequence[str] = SERVING_PROGRAM,
) -> Emulator:
    """The emulator of ``cloud``, not started.

    Raises:
        EnvironmentFaultError: what it is made of isn't installed.
    """
    location, extra = EMULATORS[cloud]
    module, _, attribute = location.partition(":")
    try:
        factory: EmulatorFactory = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        raise EnvironmentFaultError(
            f"The emulator of {cloud} can't be loaded: the package {error.name or 'it needs'!r} is missing.",
            hint=f"pip install 'isocenter[{extra}]'",
        ) from error
    return factory(scratch, program, serving_program=serving_program)


@contextmanager
def running(
    home: Home,
    cloud: str,
    *,
    port: int = 0,
    program: Sequence[str] = PROGRAM,
    serving_program: Sequence[str] = SERVING_PROGRAM,
) -> Iterator[Running]:
    """The emulator of ``cloud``, a target while and after the block runs; it ends with the block.

    Args:
        home: the store; state is kept in its folder ``emulators``.
        cloud: see ``EMULATORS``.
        port: 0 for the last one's, or a free one.
        program: what stands for the training image's entry point.
        serving_program: likewise for the serving image's.

    Raises:
        InputError: one runs already in this store, or the port is taken.
        EnvironmentFaultError: what it is made of isn't installed.
    """
    folder = home.root / "emulators"
    folder.mkdir(mode=0o700, exist_ok=True)
    lock = FileLock(folder / f"{cloud}.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"An emulator of {cloud} runs already.", hint=f"isocenter emulate {cloud} --stop ends it."
        ) from error
    try:
        # What one that was killed left says nothing of this one.
        _state(home, cloud).unlink(missing_ok=True)
        emulator = load_emulator(cloud, folder / cloud, program, serving_program)
        descriptor = _start(emulator, home, cloud, port)
        path = write_descriptor(home, cloud, descriptor)
        state = {"pid": os.getpid(), "descriptor": str(path), "is_new": emulator.is_new}
        write_bytes(_state(home, cloud), json.dumps(state).encode(), mode=0o600)
        try:
            yield Running(cloud, descriptor, path, os.getpid(), emulator.is_new)
        finally:
            _state(home, cloud).unlink(missing_ok=True)
            emulator.close()
    finally:
        lock.release()


def wait_for_end() -> None:
    """Return at SIGINT (Ctrl-C) or SIGTERM. To be called in the main thread, once, by a process about to end.

    A second SIGTERM changes nothing: the jobs are being ended. A second Ctrl-C doesn't wait for them.
    """
    ended = threading.Event()
    previous = {number: signal.signal(number, lambda *_: ended.set()) for number in _ENDING}
    try:
        while not ended.wait(3600):
            pass
    finally:
        signal.signal(signal.SIGINT, previous[signal.SIGINT])


_ENDING = (signal.SIGINT, signal.SIGTERM)


def detach(
    home: Home,
    cloud: str,
    *,
    port: int = 0,
    program: Sequence[str] = PROGRAM,
    serving_program: Sequence[str] = SERVING_PROGRAM,
) -> Running:
    """Start the emulator in a process of its own, that stays; or find the one that runs.

    Raises:
        EnvironmentFaultError: it doesn't start; the message names its log.
    """
    if found := find_running(home, cloud):
        return found
    folder = home.root / "emulators"
    folder.mkdir(mode=0o700, exist_ok=True)
    log = folder / f"{cloud}.log"
    command = [sys.executable, "-m", "isocenter.cli.main", "emulate", cloud, "--port", str(port)]
    command += [f"--program={word}" for word in program]
    command += [f"--serving-program={word}" for word in serving_program]
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command,
            env={**os.environ, "ISOCENTER_HOME": str(home.root)},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_S
    while (found := find_running(home, cloud)) is None or found.pid != process.pid:
        if process.poll() is not None or time.monotonic() > deadline:
            said = log.read_text(errors="replace").strip()[-500:]
            raise EnvironmentFaultError(f"The emulator of {cloud} doesn't start. {said}", hint=f"See {log}.")
        time.sleep(_POLL_S)
    process.returncode = 0  # never waited for here, on purpose
    return found


def find_running(home: Home, cloud: str) -> Running | None:
    """The emulator of ``cloud`` that runs in this store."""
    from isocenter.targets.descriptor import load_descriptor

    try:
        state = json.loads(_state(home, cloud).read_bytes())
    except (OSError, ValueError):
        return None
    try:
        with FileLock(home.root / "emulators" / f"{cloud}.lock", timeout=0):
            return None  # nobody holds it: the one that wrote the state was killed
    except Timeout:
        path = Path(state["descriptor"])
        return Running(cloud, load_descriptor(path), path, int(state["pid"]), bool(state.get("is_new")))


def stop(home: Home, cloud: str, *, seconds: float = 30.0) -> bool:
    """End the emulator of ``cloud`` that runs in this store; False if none does.

    Raises:
        EnvironmentFaultError: it doesn't end.
    """
    found = find_running(home, cloud)
    if found is None:
        return False
    os.kill(found.pid, signal.SIGTERM)
    try:
        with FileLock(home.root / "emulators" / f"{cloud}.lock", timeout=seconds):
            return True
    except Timeout as error:
        raise EnvironmentFaultError(
            f"The emulator of {cloud} doesn't end.", hint=f"kill -9 {found.pid}"
        ) from error


def _start(emulator: Emulator, home: Home, cloud: str, port: int) -> DeploymentDescriptor:
    from isocenter.emulators.descriptor_file import emulated_name

    name = emulated_name(cloud)
    known = 0 if port else known_port(home, cloud)
    if known:
        try:
            return emulator.start(name, known)
        except OSError:
            known = 0
    try:
        return emulator.start(name, port)
    except OSError as error:
        raise InputError(
            f"Port {port} can't be used: {error.strerror}.", hint="Leave --port out for a free one."
        ) from error


def _state(home: Home, cloud: str) -> Path:
    return home.root / "emulators" / f"{cloud}.json"
