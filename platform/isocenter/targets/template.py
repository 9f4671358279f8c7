"""A commented settings file to begin with: every field, what it means, and its default."""

from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from isocenter.targets.settings import Cloud, DeploymentSettings, Part

# What stands in a required field until its owner writes something of their own.
_EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "": {
        "owner": "imaging-platform@hospital.example",
        "security_contact": "security@hospital.example",
        "cost_centre": "4711",
        "budget": {"monthly": 1000},
        "github": {"repository": "owner/name"},
    },
    Cloud.AWS: {
        "region": "eu-central-1",
        "residency": "eu",
        "aws": {"account": "123456789012", "replica_region": "eu-west-1"},
    },
    Cloud.GCP: {
        "region": "europe-west4",
        "residency": "eu",
        "gcp": {
            "project": "my-project",
            "project_number": "123456789012",
            "organization": "123456789012",
            "billing_account": "000000-000000-000000",
            "access_policy": "123456789012",
            "replica_region": "europe-west1",
        },
    },
    Cloud.AZURE: {
        "region": "westeurope",
        "residency": "eu",
        "compute": {"gpu": [{"size": "a10", "per_node": 1, "max_nodes": 1, "spot": False}]},
        "azure": {
            "subscription": "00000000-0000-0000-0000-000000000000",
            "tenant": "00000000-0000-0000-0000-000000000000",
            "replica_region": "northeurope",
        },
    },
    Cloud.ONPREM: {
        "residency": "hospital",
        "onprem": {
            "context": "my-cluster",
            "storage_class": "encrypted",
            "registry": "registry.hospital.example/isocenter",
            "object_store": "https://objects.hospital.example",
            "object_store_secret": "isocenter-object-store",
            "database_secret": "isocenter-database",
        },
    },
}
# What stands in a part that is commented as a whole.
_COMMENTED: Mapping[str, Any] = {
    "endpoints": [{"name": "chest-xray"}],
    "budget": _EXAMPLES[""]["budget"],
    "github": _EXAMPLES[""]["github"],
}
_CLOUD_PARTS = frozenset(map(str, Cloud))


def settings_template(cloud: Cloud, name: str) -> str:
    """The text of ``deployments/<name>.yaml`` for ``cloud``; it can be read as it is.

    Args:
        cloud: aws, gcp, azure or onprem.
        name: of the deployment.
    """
    values: dict[str, Any] = {"name": name, "cloud": str(cloud), **_EXAMPLES[""], **_EXAMPLES[cloud]}
    if cloud is Cloud.ONPREM:
        values = {key: value for key, value in values.items() if key not in ("budget", "github")}
    head = [
        f"# Settings of the deployment {name}. A line that begins with # is a default; what an account, a",
        "# person or a repository is called is invented: write your own. `make plan` checks all of it.",
    ]
    return "\n".join([*head, *_lines(DeploymentSettings, values, str(cloud), "")]) + "\n"


def _lines(part: type[BaseModel], values: Mapping[str, Any], cloud: str, indent: str) -> Iterator[str]:
    for name, field in part.model_fields.items():
        if name in _CLOUD_PARTS and name != cloud:
            continue
        inner = _part_of(field)
        if inner is not None and (name in values or not field.is_required()):
            yield from _section(name, field, inner, values.get(name), cloud, indent)
        else:
            yield f"{indent}{_line(name, field, values)}"


def _section(
    name: str, field: FieldInfo, inner: type[BaseModel], value: Any, cloud: str, indent: str
) -> Iterator[str]:
    """A part of its own: its fields below it; a commented heading where all of it is default."""
    begin = f"{indent}{name}:  # {field.description or (inner.__doc__ or '').splitlines()[0]}"
    if value is None and (field.default is None or field.default == ()):
        yield f"# {begin}"
        yield from (f"# {line}" for line in _example(name, inner, cloud, indent + "  "))
    elif isinstance(value, list) or (value is None and isinstance(field.default, tuple)):
        items = value if value is not None else [item.model_dump(mode="json") for item in field.default]
        yield begin
        for item in items:
            yield f"{indent}  - {_flow(item)}"
    else:
        yield begin
        yield from _lines(inner, value or {}, cloud, indent + "  ")


def _example(name: str, inner: type[BaseModel], cloud: str, indent: str) -> Iterator[str]:
    """A part as it would be written; one that can be there several times begins with a hyphen."""
    value = _COMMENTED[name]
    if isinstance(value, Mapping):
        yield from _lines(inner, value, cloud, indent)
        return
    for item in value:
        first, *others = _lines(inner, item, cloud, indent + "  ")
        yield f"{indent}- {first.lstrip()}"
        yield from others


def _line(name: str, field: FieldInfo, values: Mapping[str, Any]) -> str:
    said = f"  # {field.description}" if field.description else ""
    if name in values:
        return f"{name}: {_flow(values[name])}{said}"
    if field.is_required():
        return f"{name}: {said}"
    default = field.get_default(call_default_factory=True)
    return f"# {name}: {_flow(_plain(default))}{said}"


def _part_of(field: FieldInfo) -> type[BaseModel] | None:
    """The part that a field holds, alone or in a list."""
    annotation = field.annotation
    candidates = [annotation, *get_args(annotation)] if get_origin(annotation) else [annotation]
    if get_origin(annotation) in (Union, UnionType):
        candidates = list(get_args(annotation))
    for candidate in candidates:
        if isinstance(candidate, type) and issubclass(candidate, Part):
            return candidate
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | bool | None) else str(value)


def _flow(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...").strip()
