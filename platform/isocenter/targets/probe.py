"""Whether what a descriptor names is there: endpoints by their port, buckets through fsspec, in any cloud."""

import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from isocenter.errors import EnvironmentFaultError
from isocenter.targets.descriptor import DeploymentDescriptor
from isocenter.targets.file_system import EXTRAS, target_files

_PATIENCE_S = 5
# Ends the name of the target that `isocenter emulate CLOUD` makes.
EMULATED = "-emulated"


@dataclass(frozen=True)
class Probe:
    """One thing that was looked at.

    Args:
        what: e.g. ``bucket data``.
        ok: whether it is there.
        said: the answer, or what went wrong, in a line.
    """

    what: str
    ok: bool
    said: str


def probe(descriptor: DeploymentDescriptor) -> tuple[Probe, ...]:
    """Look at each endpoint and bucket that ``descriptor`` names; nothing is written.

    Buckets of an emulator that doesn't answer aren't looked for: they are in it.
    """
    endpoints = tuple(_endpoints(descriptor))
    if descriptor.emulated and not all(found.ok for found in endpoints):
        return endpoints
    return (*endpoints, *_buckets(descriptor))


def stopped_emulator(descriptor: DeploymentDescriptor, found: Sequence[Probe]) -> str:
    """The command that starts the emulator of ``descriptor``; empty where it runs, or where there is none.

    Args:
        descriptor: of the target.
        found: what :func:`probe` found.
    """
    silent = any(not each.ok and each.what == f"endpoint {descriptor.provider}" for each in found)
    return _start_command(descriptor) if descriptor.emulated and silent else ""


def _start_command(descriptor: DeploymentDescriptor) -> str:
    if descriptor.name.endswith(EMULATED):
        return f"isocenter emulate {descriptor.name.removesuffix(EMULATED)} --detach"
    return f"make deploy CLOUD={descriptor.provider} EMULATE=1"


def _endpoints(descriptor: DeploymentDescriptor) -> Iterator[Probe]:
    for name, address in descriptor.endpoints.items():
        try:
            parts = urlsplit(address)
            port = parts.port or (80 if parts.scheme == "http" else 443)
            with socket.create_connection((parts.hostname or "", port), timeout=_PATIENCE_S):
                yield Probe(f"endpoint {name}", True, address)
        except (OSError, ValueError) as error:  # a port that is no number, a host that is no name
            said = getattr(error, "strerror", None) or error
            starts = f"; the emulator is not running: {_start_command(descriptor)}"
            yield Probe(
                f"endpoint {name}", False, f"{address}: {said}{starts if descriptor.emulated else ''}"
            )


def _buckets(descriptor: DeploymentDescriptor) -> Iterator[Probe]:
    for purpose, uri in descriptor.buckets.items():
        what = f"bucket {purpose}"
        scheme = uri.partition("://")[0]
        try:
            there = bool(target_files(descriptor, uri).exists(uri))
            yield Probe(what, there, uri if there else f"{uri} isn't there, or may not be seen")
        except EnvironmentFaultError as error:
            yield Probe(what, False, f"{error.message} {error.hint}".strip())
        except ImportError:
            yield Probe(what, False, f"pip install 'isocenter[{EXTRAS.get(scheme, scheme)}]'")
        except Exception as error:  # each library has errors of its own; a probe reports them all
            yield Probe(
                what,
                False,
                f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}",
            )
