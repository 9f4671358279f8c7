"""What a container sees of its pod: variables from values, fields and secrets, with references resolved.

https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
"""

import re
from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
_KEYED = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


class ConfigError(Exception):
    """A variable refers to what isn't there; the kubelet waits for it (CreateContainerConfigError)."""


def variables(container: Object, pod: Object, secrets: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """The container's environment.

    Args:
        container: of the pod.
        pod: fields of it may be referred to.
        secrets: name -> key -> value, of the namespace.

    Raises:
        ConfigError: a secret, or a key of it, isn't there.
    """
    known: dict[str, str] = {}
    for variable in container.get("env") or ():
        source = variable.get("valueFrom")
        if source is None:
            known[variable["name"]] = expand(variable.get("value", ""), known)
        elif (value := _from(source, pod, secrets)) is not None:
            known[variable["name"]] = value
    return known


def expand(text: str, known: Mapping[str, str]) -> str:
    """``$(NAME)`` replaced where there is such a variable; ``$$`` stands for ``$``."""

    def value(match: "re.Match[str]") -> str:
        return "$" if match[1] is None else known.get(match[1], match[0])

    return _REFERENCE.sub(value, text)


def _from(source: Object, pod: Object, secrets: Mapping[str, Mapping[str, str]]) -> str | None:
    if "fieldRef" in source:
        return _field(source["fieldRef"]["fieldPath"], pod)
    if "secretKeyRef" not in source:
        raise ConfigError(f"this cluster doesn't know {', '.join(source)}")
    reference = source["secretKeyRef"]
    name, key = reference["name"], reference["key"]
    if name in secrets and key in secrets[name]:
        return secrets[name][key]
    if reference.get("optional"):
        return None
    raise ConfigError(
        f"couldn't find key {key} in Secret {name}" if name in secrets else f'secret "{name}" not found'
    )


def _field(path: str, pod: Object) -> str:
    metadata = pod["metadata"]
    if match := _KEYED.fullmatch(path):
        return str((metadata.get(match[1]) or {}).get(match[2], ""))
    plain = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": pod["spec"].get("nodeName", ""),
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", ""),
        "status.podIP": pod["status"].get("podIP", "127.0.0.1"),
    }
    if path not in plain:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return str(plain[path])
