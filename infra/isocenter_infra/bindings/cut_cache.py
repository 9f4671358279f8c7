"""Cut assemblies on disk, by provider version and submodules, in the Python environment of the bindings."""

import hashlib
import sys
from collections.abc import Callable, Sequence
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from isocenter.storage.atomic import write_bytes
from isocenter_infra.bindings.assembly import cut_assembly

# Raise when cut_assembly changes what it writes.
_FORMAT = 1


def cache_folder() -> Path:
    """Where cut assemblies and jsii's own cache lie: inside the Python environment, which they belong to."""
    return Path(sys.prefix) / "var" / "isocenter-bindings"


def cut_tarball(provider: str, submodules: Sequence[str], notice: Callable[[str], None]) -> Path:
    """The cut assembly of ``provider``'s bindings; made now where it isn't cached.

    Args:
        provider: e.g. ``aws``.
        submodules: Python names of the submodules in use.
        notice: is told when something is made that takes seconds.

    Raises:
        ValueError: the bindings aren't laid out as expected.
        OSError: the cache can't be written.
    """
    released = version(f"cdktn-provider-{provider}")
    key = hashlib.sha256("\n".join([str(_FORMAT), released, *submodules]).encode()).hexdigest()[:16]
    path = cache_folder() / f"{provider}-{released}-{key}.tgz"
    if not path.exists():
        notice(f"Cutting the bindings of {provider} {released} down to {len(submodules)} submodules, once.")
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, cut_assembly(full_tarball(provider).read_bytes(), submodules))
    return path


def full_tarball(provider: str) -> Path:
    """The whole assembly, as the bindings' package brings it."""
    spec = find_spec(f"cdktn_provider_{provider}")
    assert spec is not None and spec.submodule_search_locations  # noqa: S101 - its version was just read
    (tarball,) = (Path(spec.submodule_search_locations[0]) / "_jsii").glob("*.jsii.tgz")
    return tarball
