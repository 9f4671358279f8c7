"""The cluster's machines, and which of them a pod may run on.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/ and .../taint-and-toleration/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Object = dict[str, Any]


@dataclass(frozen=True)
class Node:
    """A machine.

    Args:
        name: of the node.
        labels: by which pods choose it.
        taints: keys of taints with the effect NoSchedule.
        amounts: of extended resources, e.g. ``nvidia.com/gpu``.
    """

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[str, ...] = ()
    amounts: Mapping[str, int] = field(default_factory=dict)


def choose(pod: Object, nodes: Sequence[Node], pods: Sequence[Object]) -> tuple[str, str]:
    """Where the pod goes.

    Args:
        pod: to be placed.
        nodes: of the cluster.
        pods: all that are there; those that run take GPUs.

    Returns:
        the node's name, or an empty one and the scheduler's words on why there is none.
    """
    spec, whys = pod["spec"], []
    for node in nodes:
        if not _chosen(spec, node):
            whys.append("node(s) didn't match Pod's node affinity/selector")
        elif untolerated := [key for key in node.taints if not _tolerated(spec, key)]:
            whys.append(f"node(s) had untolerated taint {{{untolerated[0]}: }}")
        elif lacking := _lacking(spec, node, pods):
            whys.append(f"Insufficient {lacking}")
        else:
            return node.name, ""
    counted = ", ".join(f"{whys.count(why)} {why}" for why in sorted(set(whys)))
    return "", f"0/{len(nodes)} nodes are available: {counted}."


def _chosen(spec: Object, node: Node) -> bool:
    selector = spec.get("nodeSelector") or {}
    affinity = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    )
    terms = (affinity or {}).get("nodeSelectorTerms") or [{}]
    return all(node.labels.get(key) == value for key, value in selector.items()) and any(
        all(_holds(expression, node) for expression in term.get("matchExpressions") or ()) for term in terms
    )


def _holds(expression: Object, node: Node) -> bool:
    value, values = node.labels.get(expression["key"]), expression.get("values") or ()
    match expression["operator"]:
        case "In":
            return value in values
        case "NotIn":
            return value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


def _tolerated(spec: Object, taint: str) -> bool:
    return any(
        toleration.get("key") in (taint, None) and toleration.get("effect") in ("NoSchedule", None)
        for toleration in spec.get("tolerations") or ()
    )


def _lacking(spec: Object, node: Node, pods: Sequence[Object]) -> str:
    for name, wanted in _extended(spec).items():
        taken = sum(
            _extended(other["spec"]).get(name, 0)
            for other in pods
            if other["spec"].get("nodeName") == node.name
            and other.get("status", {}).get("phase") in ("Pending", "Running")
        )
        if taken + wanted > node.amounts.get(name, 0):
            return name
    return ""


def _extended(spec: Object) -> dict[str, int]:
    limits = [(container.get("resources") or {}).get("limits") or {} for container in spec["containers"]]
    return {name: int(amount) for found in limits for name, amount in found.items() if "/" in name}
