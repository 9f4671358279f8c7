"""Make jsii load cut assemblies instead of whole ones, and run on a Node.js that fits."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from isocenter_infra.bindings.cut_cache import cache_folder, cut_tarball
from isocenter_infra.bindings.node import find_node

_PACKAGE = "@cdktn/provider-"


def prepare_bindings(
    used: Mapping[str, Sequence[str]], notice: Callable[[str], None], *, whole: bool = False
) -> None:
    """Prepare this process for importing cdktn; call once, before the first import.

    Where a cut assembly can't be made or used, the whole one is loaded and ``notice`` is told why.

    Args:
        used: submodules in use, by provider.
        notice: is told what takes long or was not possible.
        whole: load the whole assemblies.

    Raises:
        EnvironmentFaultError: no Node.js fits.
    """
    os.environ["JSII_NODE"] = find_node(os.environ)
    os.environ.setdefault("JSII_RUNTIME_PACKAGE_CACHE_ROOT", _writable_cache())
    _end_quietly()
    if whole:
        return
    try:
        _load_instead({provider: cut_tarball(provider, names, notice) for provider, names in used.items()})
    except (OSError, ValueError, AttributeError, KeyError, IndexError) as error:
        notice(f"The bindings can't be cut down ({error}); loading them whole takes about ten seconds.")


def _writable_cache() -> str:
    folder = cache_folder() / "jsii"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return str(Path(tempfile.gettempdir()) / f"isocenter-jsii-{os.getuid()}")
    return str(folder)


def _end_quietly() -> None:
    """Ctrl-C ends jsii's Node.js before it is asked to end: no news, and no trace for the user."""
    from jsii._kernel.providers.process import _NodeProcess

    stop = _NodeProcess.stop

    def stop_quietly(process: _NodeProcess) -> None:
        with contextlib.suppress(BrokenPipeError):
            stop(process)

    _NodeProcess.stop = stop_quietly  # type: ignore[assignment, method-assign]


def _load_instead(tarballs: Mapping[str, Path]) -> None:
    # There is no public way to hand jsii another tarball of a package.
    from jsii._runtime import kernel

    load = kernel.load

    def load_cut(name: str, version: str, tarball: str) -> None:
        cut = tarballs.get(name.removeprefix(_PACKAGE)) if name.startswith(_PACKAGE) else None
        load(name, version, str(cut or tarball))

    kernel.load = load_cut  # type: ignore[method-assign]
