"""What an endpoint's serving programs keep on this machine for the platform to collect."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, runtime_checkable

from filelock import FileLock

from isocenter.home import Home
from isocenter.servers.base import Server


@runtime_checkable
class KeepsHere(Protocol):
    """A server whose serving programs keep denials and features on this machine."""

    def kept(self, name: str) -> Sequence[Path]:
        """The folders in which they do (their ``--capture-dir``), also of versions that are gone."""
        ...


def kept_by(server: Server, name: str) -> Sequence[Path]:
    """The folders of the endpoint ``name``; none where its service collects by itself."""
    return server.kept(name) if isinstance(server, KeepsHere) else ()


@contextmanager
def alone(home: Home, name: str) -> Iterator[None]:
    """One collection of an endpoint at a time."""
    home.locks.mkdir(mode=0o700, exist_ok=True)
    with FileLock(home.locks / f"collect-{name}.lock"):
        yield
