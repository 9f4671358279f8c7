"""Where a provider lies on this machine, for machines that reach no registry."""

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_SEARCH_S = 300
_VERSION = re.compile(r"^\d+\.\d+\.\d+$")


@dataclass(frozen=True)
class InstalledProvider:
    """A provider on disk.

    Args:
        plugin_dir: for ``terraform init -plugin-dir``.
        version: of the provider.
    """

    plugin_dir: Path
    version: str


def find_provider(
    name: str, environ: Mapping[str, str], remember: Path | None = None
) -> InstalledProvider | None:
    """The newest HashiCorp provider ``name`` on disk; None where there is none.

    Args:
        name: e.g. ``aws``.
        environ: variables that may say where.
        remember: file that keeps what a search found: on a busy machine it takes minutes.

    Looked for in ``$TF_PLUGIN_DIR``, in Terraform's own plugin directories (its documentation of the CLI
    configuration file, "implied local mirror directories"), then by a search of this file system.
    """
    for folder in _known_folders(environ, remember):
        found = _newest(folder, name)
        if found is not None:
            return found
    for folder in _searched(name):
        found = _newest(folder, name)
        if found is not None:
            if remember is not None:
                remember.write_text(str(folder))
            return found
    return None


def _newest(folder: Path, name: str) -> InstalledProvider | None:
    versions = folder / "registry.terraform.io" / "hashicorp" / name
    found = [path.name for path in versions.glob("*") if _VERSION.match(path.name)]
    if not found:
        return None
    return InstalledProvider(folder, max(found, key=lambda each: [int(part) for part in each.split(".")]))


def _known_folders(environ: Mapping[str, str], remember: Path | None) -> Iterator[Path]:
    if environ.get("TF_PLUGIN_DIR"):
        yield Path(environ["TF_PLUGIN_DIR"])
    if remember is not None and remember.exists():
        yield Path(remember.read_text())
    home = Path(environ.get("HOME", "/nonexistent"))
    data = [
        home / ".local" / "share",
        *map(Path, environ.get("XDG_DATA_DIRS", "/usr/local/share:/usr/share").split(":")),
    ]
    yield home / ".terraform.d" / "plugins"
    yield from (folder / "terraform" / "plugins" for folder in data)


def _searched(name: str) -> Iterator[Path]:
    command = [
        "find",
        os.sep,
        "-xdev",
        "-name",
        f"terraform-provider-{name}_v*",
        "-type",
        "f",
        "-print",
        "-quit",
    ]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=_SEARCH_S, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return
    for line in said.splitlines():
        # <dir>/registry.terraform.io/hashicorp/<name>/<version>/<platform>/<file>
        parents = Path(line).parents
        if len(parents) > 5 and parents[4].name == "registry.terraform.io":
            yield parents[5]
