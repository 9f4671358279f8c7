"""Hold a synthesized document against the providers' own tables of arguments."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter_infra.bindings.arguments import Argument, ArgumentTable

# What Terraform itself takes in each resource.
_META = frozenset(
    ("//", "connection", "count", "depends_on", "for_each", "lifecycle", "provider", "provisioner")
)


@dataclass(frozen=True)
class SchemaFault:
    """An argument that the provider doesn't know, or one that it misses.

    Args:
        address: of the resource.
        sentence: what is wrong, with the argument's path.
        source: file and line in our sources that made the resource.
    """

    address: str
    sentence: str
    source: str


def check_schema(document: Mapping[str, Any], table: ArgumentTable) -> tuple[SchemaFault, ...]:
    """The faults in ``document``; none when every argument is known and no required one is missing.

    Args:
        document: Terraform's JSON.
        table: of the providers in use.
    """
    return tuple(
        SchemaFault(address, sentence, body.get("//", {}).get("metadata", {}).get("source", ""))
        for address, kind, body in _bodies(document)
        for sentence in _type_faults(kind, body, table)
    )


def _bodies(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for section, prefix in (("resource", ""), ("data", "data.")):
        for kind, named in document.get(section, {}).items():
            for name, body in named.items():
                yield f"{prefix}{kind}.{name}", f"{prefix}{kind}", body


def _type_faults(kind: str, body: Mapping[str, Any], table: ArgumentTable) -> Iterator[str]:
    known = table.types.get(kind)
    if known is None:
        yield f"The bindings know no resource type {kind}."
        return
    own = {name: value for name, value in body.items() if name not in _META}
    yield from _faults(own, known, table, ())


def _faults(
    body: Mapping[str, Any], known: Mapping[str, Argument], table: ArgumentTable, place: Sequence[str]
) -> Iterator[str]:
    for name, argument in known.items():
        if argument.required and body.get(name) is None:
            yield f"The argument {'.'.join([*place, name])} is missing."
    for name, value in body.items():
        where = [*place, name]
        if name not in known:
            yield f"There is no argument {'.'.join(where)}{_near(name, known)}."
            continue
        struct = table.structs.get(known[name].struct or "")
        if struct is not None:
            yield from _block_faults(value, struct, table, where)


def _block_faults(
    value: Any, struct: Mapping[str, Argument], table: ArgumentTable, place: Sequence[str]
) -> Iterator[str]:
    for block in value if isinstance(value, list) else [value]:
        if isinstance(block, Mapping):
            yield from _faults(block, struct, table, place)


def _near(name: str, known: Mapping[str, Argument]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""
