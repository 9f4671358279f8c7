"""The providers' own tables of arguments: which each resource takes, and which it needs.

Read from the bindings, which are generated from the providers' schemas: names from the JavaScript that writes
Terraform's JSON, whether an argument is required from the jsii assembly. Enumerations, ranges and conflicts
are not in them.
"""

import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TYPE = re.compile(r'static tfResourceType = "(\w+)";')
_ATTRIBUTES = re.compile(r"synthesizeAttributes\(\) \{\s+return \{(.*?)\n        \};", re.S)
_CLASS = re.compile(r"^class (\w+) extends cdktn\.Terraform(?:Resource|DataSource|Provider) \{", re.M)
_STRUCT = re.compile(r"^function (\w+)ToTerraform\(struct\) \{.*?\n    return \{(.*?)\n    \};", re.M | re.S)
_FIELD = re.compile(r"^\s+(\w+): (.*),?$", re.M)
_NESTED = re.compile(r"(?<!cdktn\.)\b(\w+)ToTerraform\b")
_CAMEL = re.compile(r"(?:this\._|struct\.)(\w+)")


@dataclass(frozen=True)
class Argument:
    """One argument.

    Args:
        required: whether Terraform refuses a document without it.
        struct: name of the block's table, where it is a block.
    """

    required: bool
    struct: str | None


@dataclass(frozen=True)
class ArgumentTable:
    """The tables of the types in use.

    Args:
        types: by resource type (a data source as ``data.<type>``): table of its arguments.
        structs: by block: table of its arguments.
    """

    types: Mapping[str, Mapping[str, Argument]]
    structs: Mapping[str, Mapping[str, Argument]]


def read_arguments(tarballs: Iterator[Path] | list[Path]) -> ArgumentTable:
    """The tables in cut assemblies.

    Args:
        tarballs: as :func:`isocenter_infra.bindings.cut_cache.cut_tarball` makes them.
    """
    types: dict[str, Mapping[str, Argument]] = {}
    structs: dict[str, Mapping[str, Argument]] = {}
    for path in tarballs:
        sources, optional = _read(path)
        for submodule, text in sources.items():
            own = {f"{submodule}.{name}": body for name, body in _structs(text)}
            for name, body in own.items():
                structs[name] = _arguments(body, submodule, optional.get(_interface(name), {}))
            for kind, class_name, body in _resources(text):
                needed = optional.get(f"{submodule}.{class_name}Config", {})
                prefix = "data." if submodule.startswith("data-") else ""
                types[prefix + kind] = _arguments(body, submodule, needed)
    return ArgumentTable(types, structs)


def _read(path: Path) -> tuple[dict[str, str], dict[str, dict[str, bool]]]:
    """JavaScript by submodule; whether a property is optional, by ``submodule.Interface``."""
    sources: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes()), mode="r:gz") as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member)
            text = b"" if stream is None else stream.read()
            parts = member.name.split("/")
            if len(parts) > 3 and parts[1] == "lib":
                sources[parts[2]] = sources.get(parts[2], "") + text.decode()
            elif parts[-1] == ".jsii":
                assembly = json.loads(text)
    return sources, dict(_optional(assembly))


def _optional(assembly: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, bool]]]:
    folders = {name: value["symbolId"].split("/")[1] for name, value in assembly["submodules"].items()}
    for name, value in assembly["types"].items():
        if value["kind"] == "interface":
            submodule, _, interface = name.rpartition(".")
            optional = {p["name"]: p.get("optional", False) for p in value.get("properties", [])}
            yield f"{folders[submodule]}.{interface}", optional


def _structs(text: str) -> Iterator[tuple[str, str]]:
    yield from _STRUCT.findall(text)


def _resources(text: str) -> Iterator[tuple[str, str, str]]:
    """Terraform type, class name and attribute lines of each resource class in a module."""
    starts = [*_CLASS.finditer(text)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    for match, end in zip(starts, ends, strict=False):
        kind = _TYPE.search(text, match.start(), end)
        attributes = _ATTRIBUTES.search(text, match.start(), end)
        if kind and attributes:
            yield kind[1], match[1], attributes[1]


def _interface(struct: str) -> str:
    submodule, _, name = struct.rpartition(".")
    return f"{submodule}.{name[0].upper()}{name[1:]}"


def _arguments(body: str, submodule: str, optional: Mapping[str, bool]) -> dict[str, Argument]:
    found = {}
    for name, expression in _FIELD.findall(body):
        camel, nested = _CAMEL.search(expression), _NESTED.search(expression)
        required = bool(camel) and not optional.get(camel[1] if camel else "", True)
        found[name] = Argument(required, f"{submodule}.{nested[1]}" if nested else None)
    return found
