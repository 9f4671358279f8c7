"""Which pods the namespace admits: the pod security standard, and the site's own policy.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
The policy is that of the on-premises stack (``isocenter_infra.onprem.admission``), in other words.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_VOLUME_KINDS = frozenset(
    (
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    )
)


@dataclass(frozen=True)
class Site:
    """What is there for pods to name.

    Args:
        registry: that images come from.
        component_label: whose value names the service account.
        accounts: service accounts.
        priorities: priority classes.
        runtime_classes: names.
        claims: of volumes.
    """

    registry: str
    component_label: str
    accounts: frozenset[str]
    priorities: frozenset[str]
    runtime_classes: frozenset[str]
    claims: frozenset[str]


def refusal(pod: Object, site: Site) -> str:
    """Why the pod is not admitted, as the server says it; empty if it is."""
    spec, name = pod["spec"], pod["metadata"]["name"]
    account = spec.get("serviceAccountName", "default")
    if account not in site.accounts | {"default"}:
        return f'pods "{name}" is forbidden: error looking up service account: "{account}" not found'
    priority = spec.get("priorityClassName")
    if priority and priority not in site.priorities:
        return f'pods "{name}" is forbidden: no PriorityClass with name {priority} was found'
    runtime = spec.get("runtimeClassName")
    if runtime and runtime not in site.runtime_classes:
        return f'pods "{name}" is forbidden: pod rejected: RuntimeClass "{runtime}" not found'
    if broken := ", ".join(_restricted(spec)):
        return f'pods "{name}" is forbidden: violates PodSecurity "restricted:latest": {broken}'
    for message in _policy(pod, site):
        return (
            f"pods \"{name}\" is forbidden: ValidatingAdmissionPolicy 'isocenter-pods' with binding"
            f" 'isocenter-pods' denied request: {message}"
        )
    return ""


def _restricted(spec: Object) -> Iterator[str]:
    of_pod = spec.get("securityContext") or {}
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"host namespaces ({field}=true)"
    for volume in spec.get("volumes") or ():
        if kinds := set(volume) - {"name"} - _VOLUME_KINDS:
            yield f'restricted volume types (volume "{volume["name"]}" uses {sorted(kinds)[0]})'
    for container in spec["containers"]:
        yield from _restricted_container(container, of_pod)


def _restricted_container(container: Object, of_pod: Object) -> Iterator[str]:
    own = container.get("securityContext") or {}
    both = {**of_pod, **own}
    named = f'container "{container["name"]}"'
    if own.get("privileged"):
        yield f"privileged ({named})"
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"allowPrivilegeEscalation != false ({named})"
    if "ALL" not in (own.get("capabilities") or {}).get("drop", ()):
        yield f"unrestricted capabilities ({named})"
    if both.get("runAsNonRoot") is not True:
        yield f"runAsNonRoot != true ({named})"
    if both.get("runAsUser") == 0:
        yield f"runAsUser=0 ({named})"
    if (both.get("seccompProfile") or {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield f"seccompProfile ({named})"
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield f"hostPort ({named})"


def _policy(pod: Object, site: Site) -> Iterator[str]:
    spec = pod["spec"]
    images = [container["image"] for container in spec["containers"]]
    if not all(image.startswith(f"{site.registry}/") and _DIGEST.search(image) for image in images):
        yield f"Images come by digest from {site.registry}."
    account = spec.get("serviceAccountName", "default")
    if account not in site.accounts:
        yield f"The service account must be one of {', '.join(sorted(site.accounts))}."
    if (pod["metadata"].get("labels") or {}).get(site.component_label) != account:
        yield f"The label {site.component_label} must name the service account."
    if account != "pipeline" and spec.get("automountServiceAccountToken"):
        yield "Only pipeline may have a token of Kubernetes."
