"""A provider's jsii assembly, cut down to the submodules in use.

jsii loads an assembly whole: for AWS 155 MB of JSON and 2,400 modules, 8 s and 830 MB. The cut one has the
types and modules of the submodules in use and of those that they require, and gives the same output to the
byte. The format is jsii's: a npm package with a ``.jsii`` file (https://aws.github.io/jsii/).
"""

import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping
from typing import Any

_REQUIRES = re.compile(rb'require\("\.\./([^/"]+)/index"\)')
_LIBRARY = "package/lib/"
_ALWAYS = ("package/package.json",)
_ASSEMBLY = "package/.jsii"
_INDEX = "package/lib/index.js"
# Prose and places in the TypeScript source: most of an assembly, read by documentation tools only.
_PROSE = frozenset(("docs", "locationInModule", "readme"))


def cut_assembly(tarball: bytes, submodules: Iterable[str]) -> bytes:
    """The npm package ``tarball`` with only ``submodules`` and what they require.

    Args:
        tarball: gzipped, as it lies in the Python package of the bindings.
        submodules: Python names, e.g. ``kms_key``.

    Returns:
        A gzipped tarball; the same input gives the same bytes.

    Raises:
        ValueError: the package isn't laid out as expected, or lacks a submodule.
    """
    with tarfile.open(fileobj=io.BytesIO(tarball), mode="r:gz") as archive:
        sources = {
            member.name: _content(archive, member)
            for member in archive.getmembers()
            if member.name.endswith(".js") or member.name in (*_ALWAYS, _ASSEMBLY)
        }
    if not {_ASSEMBLY, _INDEX, *_ALWAYS} <= sources.keys():
        raise ValueError("the package lacks its assembly or index")
    assembly = json.loads(sources[_ASSEMBLY])
    by_folder = _submodules_by_folder(assembly)
    kept = _with_required(_folders(by_folder, submodules), sources)
    files = {name: sources[name] for name in sorted(sources) if _folder(name) in kept}
    files |= {name: sources[name] for name in _ALWAYS}
    names = {folder: by_folder[folder] for folder in sorted(kept)}
    files[_ASSEMBLY] = json.dumps(_cut(assembly, set(names.values())), separators=(",", ":")).encode()
    files[_INDEX] = _index(names)
    return _pack(files)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    return b"" if stream is None else stream.read()


def _submodules_by_folder(assembly: Mapping[str, Any]) -> dict[str, str]:
    """Folder below ``lib`` (``kms-key``) -> name of the submodule (``@cdktn/provider-aws.kmsKey``)."""
    return {value["symbolId"].split("/")[1]: name for name, value in assembly["submodules"].items()}


def _folders(by_folder: Mapping[str, str], submodules: Iterable[str]) -> set[str]:
    by_python_name = {folder.replace("-", "_"): folder for folder in by_folder}
    missing = sorted(set(submodules) - by_python_name.keys())
    if missing:
        raise ValueError(f"the bindings have no submodule {missing[0]}")
    return {by_python_name[name] for name in submodules}


def _with_required(folders: Iterable[str], sources: Mapping[str, bytes]) -> set[str]:
    kept: set[str] = set()
    queue = list(folders)
    while queue:
        folder = queue.pop()
        if folder not in kept:
            kept.add(folder)
            for name, text in sources.items():
                if _folder(name) == folder:
                    queue.extend(match.decode() for match in _REQUIRES.findall(text))
    return kept


def _folder(name: str) -> str:
    return name.removeprefix(_LIBRARY).partition("/")[0] if name.count("/") > 2 else ""


def _cut(assembly: Mapping[str, Any], submodules: set[str]) -> dict[str, Any]:
    kept = {key: value for key, value in assembly.items() if key not in _PROSE}
    kept["submodules"] = {name: _plain(v) for name, v in assembly["submodules"].items() if name in submodules}
    kept["types"] = {
        name: _plain(value)
        for name, value in assembly["types"].items()
        if name.rpartition(".")[0] in submodules
    }
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if key not in _PROSE}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _index(names: Mapping[str, str]) -> bytes:
    lines = ['"use strict";', 'Object.defineProperty(exports, "__esModule", { value: true });']
    for folder, name in names.items():
        lines.append(f'exports.{name.rpartition(".")[2]} = require("./{folder}/index");')
    return "\n".join(lines).encode() + b"\n"


def _pack(files: Mapping[str, bytes]) -> bytes:
    import gzip

    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        for name in sorted(files):
            member = tarfile.TarInfo(name)
            member.size = len(files[name])
            archive.addfile(member, io.BytesIO(files[name]))
    return packed.getvalue()
