"""The Kubernetes objects that a synthesized document will make, held against Kubernetes' own schemas.

Terraform's provider checks little before an apply. Its resources follow the objects' fields under other names
(``match_labels`` for ``matchLabels``, one ``rule`` block for each of ``rules``), so they can be turned back.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import kubernetes_validate

from isocenter_infra.change.schema_check import SchemaFault

# The oldest release that these stacks are made for; admission policies have been stable since 1.30.
LEAST_KUBERNETES = "1.31"

_RBAC = "rbac.authorization.k8s.io/v1"
_OBJECTS = {
    "cluster_role": (_RBAC, "ClusterRole"),
    "cluster_role_binding": (_RBAC, "ClusterRoleBinding"),
    "default_service_account": ("v1", "ServiceAccount"),
    "limit_range": ("v1", "LimitRange"),
    "namespace": ("v1", "Namespace"),
    "network_policy": ("networking.k8s.io/v1", "NetworkPolicy"),
    "persistent_volume_claim": ("v1", "PersistentVolumeClaim"),
    "priority_class": ("scheduling.k8s.io/v1", "PriorityClass"),
    "resource_quota": ("v1", "ResourceQuota"),
    "role": (_RBAC, "Role"),
    "role_binding": (_RBAC, "RoleBinding"),
    "runtime_class": ("node.k8s.io/v1", "RuntimeClass"),
    "service_account": ("v1", "ServiceAccount"),
}
# What is Terraform's or the provider's own, and no field of the object.
_NOT_FIELDS = frozenset(
    (
        "//",
        "connection",
        "count",
        "depends_on",
        "for_each",
        "id",
        "lifecycle",
        "provider",
        "provisioner",
        "timeouts",
        "wait_for_default_service_account",
        "wait_until_bound",
    )
)
# A repeated block is named in the singular.
_PLURALS = {
    "image_pull_secret": "imagePullSecrets",
    "limit": "limits",
    "match_expression": "matchExpressions",
    "rule": "rules",
    "secret": "secrets",
    "subject": "subjects",
}
# Blocks that come once, and that the provider's schema may write as a list all the same.
_SINGLE = frozenset(("metadata", "spec"))
# Mappings whose keys are values, not fields' names.
_FREE = frozenset(
    (
        "annotations",
        "default",
        "default_request",
        "hard",
        "labels",
        "limits",
        "match_labels",
        "max",
        "max_limit_request_ratio",
        "min",
        "requests",
    )
)
# Those of them, by the object's names, whose values are amounts.
_AMOUNTS = frozenset(("default", "defaultRequest", "hard", "limits", "max", "min", "requests"))
_REFERENCE = re.compile(r"^\$\{(kubernetes_\w+)\.([\w-]+)\.metadata(?:\[0\]|\.0)?\.name\}$")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/ and .../labels/
_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_QUANTITY = re.compile(r"\d+(\.\d+)?([numkMGTPE]|[KMGTPE]i)?")


def manifests(document: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The Kubernetes objects of a document: Terraform address -> manifest.

    Args:
        document: Terraform's JSON.

    Raises:
        ValueError: a resource is of a kind that can't be turned back; it must be added here.
    """
    return {address: _manifest(kind, body, document) for address, kind, body in _resources(document)}


def validate_manifests(
    document: Mapping[str, Any], version: str = LEAST_KUBERNETES
) -> tuple[SchemaFault, ...]:
    """What Kubernetes would refuse in a document; none when all is well.

    Args:
        document: Terraform's JSON.
        version: of Kubernetes, e.g. ``1.31``.
    """
    found: list[SchemaFault] = []
    for address, kind, body in _resources(document):
        source = body.get("//", {}).get("metadata", {}).get("source", "")
        try:
            sentences = [*_faults(_manifest(kind, body, document), version)]
        except ValueError as error:
            sentences = [f"{error}."]
        found.extend(SchemaFault(address, sentence, source) for sentence in sentences)
    return tuple(found)


def _resources(document: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Address, kind and body of each resource of the Kubernetes provider."""
    for kind, named in sorted(document.get("resource", {}).items()):
        if kind.startswith("kubernetes_"):
            yield from ((f"{kind}.{name}", kind, body) for name, body in sorted(named.items()))


def _manifest(kind: str, body: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    if kind == "kubernetes_manifest":
        return dict(body["manifest"])
    known = _OBJECTS.get(kind.removeprefix("kubernetes_").removesuffix("_v1"))
    if known is None:
        raise ValueError(f"{kind} is of no kind that is checked: add it to onprem/manifests.py")
    fields = {key: value for key, value in body.items() if key not in _NOT_FIELDS}
    made = _fields(fields, document)
    if "default_service_account" in kind:
        made["metadata"].setdefault("name", "default")
    return {"apiVersion": known[0], "kind": known[1], **made}


def _fields(block: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {_field_name(key): _value(key, value, document) for key, value in block.items()}


def _field_name(key: str) -> str:
    first, *rest = _PLURALS.get(key, key).split("_")
    return first + "".join(part.capitalize() for part in rest)


def _value(key: str, value: Any, document: Mapping[str, Any]) -> Any:
    if key in _SINGLE and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if key in _FREE and isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Mapping):
        return _fields(value, document)
    if isinstance(value, list):
        return [_value("", item, document) for item in value]
    if key == "port" and isinstance(value, str) and value.isdecimal():
        return int(value)  # in a manifest, text would be the name of a port
    return _resolved(value, document) if isinstance(value, str) else value


def _resolved(text: str, document: Mapping[str, Any]) -> str:
    """The name that a reference to another resource stands for."""
    match = _REFERENCE.match(text)
    if not match:
        return text
    kind, name = match.groups()
    try:
        metadata = document["resource"][kind][name]["metadata"]
    except KeyError:
        raise ValueError(f"{text} refers to a resource that isn't there") from None
    return str((metadata[0] if isinstance(metadata, list) else metadata)["name"])


def _faults(manifest: Mapping[str, Any], version: str) -> Iterator[str]:
    """A sentence for each fault: first the schema's, then what a schema can't say."""
    try:
        kubernetes_validate.validate(dict(manifest), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = ".".join(str(part) for part in error.absolute_path)
        yield f"{place or manifest['kind']}: {error.message}."
    except kubernetes_validate.SchemaNotFoundError:
        yield f"Kubernetes {version} has no {manifest['kind']} in {manifest['apiVersion']}."
    yield from _name_faults(manifest.get("metadata", {}))
    yield from _amount_faults("", manifest)


def _name_faults(metadata: Mapping[str, Any]) -> Iterator[str]:
    for field in ("name", "namespace"):
        name = metadata.get(field)
        if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
            yield f"metadata.{field}: {name!r} is no name of lower case letters, digits, hyphens and dots."
    for key, value in metadata.get("labels", {}).items():
        if not (isinstance(value, str) and _LABEL_VALUE.fullmatch(value)):
            yield f"metadata.labels.{key}: {value!r} is no label's value: at most 63 letters, digits, -_."


def _amount_faults(place: str, value: Any) -> Iterator[str]:
    """Amounts under ``hard``, ``requests`` and the like, at any depth."""
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _amount_faults(f"{place}.{number}", item)
    if not isinstance(value, Mapping):
        return
    for key, item in value.items():
        where = f"{place}.{key}".lstrip(".")
        if key in _AMOUNTS and isinstance(item, Mapping):
            yield from (
                f"{where}.{name}: {amount!r} is no amount, such as 500m, 16 or 128Gi."
                for name, amount in item.items()
                if not _QUANTITY.fullmatch(str(amount))
            )
        elif key != "metadata":
            yield from _amount_faults(where, item)
