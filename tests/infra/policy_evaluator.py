"""Whether Kubernetes would let a connection through, written from the documentation of NetworkPolicy alone.

https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any


@dataclass(frozen=True)
class End:
    """One end of a connection: a pod, or an address outside when it has no namespace."""

    namespace: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    address: str = "203.0.113.9"


class Policies:
    """The policies of a cluster."""

    def __init__(self, manifests: Sequence[Mapping[str, Any]]) -> None:
        self._policies = [found for found in manifests if found["kind"] == "NetworkPolicy"]

    def let(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        """Both ends must allow it: the source to send, the target to receive."""
        return self._allows("Egress", source, target, port, protocol) and self._allows(
            "Ingress", target, source, port, protocol
        )

    def _allows(self, way: str, pod: End, other: End, port: int, protocol: str) -> bool:
        if not pod.namespace:
            return True  # policies bind pods only
        mine = [
            policy
            for policy in self._policies
            if policy["metadata"]["namespace"] == pod.namespace
            and way in policy["spec"]["policyTypes"]
            and _selects(policy["spec"]["podSelector"], pod.labels)
        ]
        if not mine:
            return True  # Kubernetes allows everything to a pod that no policy selects
        rules = [rule for policy in mine for rule in policy["spec"].get(way.lower()) or ()]
        side = "to" if way == "Egress" else "from"
        return any(
            _any_peer(rule.get(side), other, pod.namespace) and _any_port(rule.get("ports"), port, protocol)
            for rule in rules
        )


def _any_peer(peers: Sequence[Mapping[str, Any]] | None, end: End, here: str) -> bool:
    return not peers or any(_is_peer(peer, end, here) for peer in peers)


def _is_peer(peer: Mapping[str, Any], end: End, here: str) -> bool:
    if "ipBlock" in peer:
        block, address = peer["ipBlock"], ip_address(end.address)
        inside = address in ip_network(block["cidr"])
        return inside and not any(address in ip_network(hole) for hole in block.get("except") or ())
    if not end.namespace:
        return False
    if "namespaceSelector" in peer:
        known = {"kubernetes.io/metadata.name": end.namespace}
        if not _selects(peer["namespaceSelector"], known):
            return False
    elif end.namespace != here:
        return False
    return _selects(peer.get("podSelector", {}), end.labels)


def _any_port(ports: Sequence[Mapping[str, Any]] | None, port: int, protocol: str) -> bool:
    return not ports or any(
        (given.get("protocol") or "TCP") == protocol
        and ("port" not in given or given["port"] <= port <= given.get("endPort", given["port"]))
        for given in ports
    )


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_holds(test, labels) for test in selector.get("matchExpressions") or ())


def _holds(test: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(test["key"])
    match test["operator"]:
        case "In":
            return value in test["values"]
        case "NotIn":
            return value not in test["values"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    raise ValueError(test["operator"])
