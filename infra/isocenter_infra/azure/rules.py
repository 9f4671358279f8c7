"""What may pass between the subnets: little is let through, and a last rule denies the rest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from cdktn_provider_azurerm.network_security_group import NetworkSecurityGroup
from cdktn_provider_azurerm.network_security_rule import NetworkSecurityRule
from constructs import Construct

from isocenter_infra.azure.place import Place

_LAST = 4096
_FIRST = 100


@dataclass(frozen=True)
class Allowed:
    """One kind of traffic that may pass.

    Args:
        name: of the rule.
        direction: seen from the subnet.
        sources: ranges, or one service tag.
        destinations: ranges, or one service tag.
        port: a port or a range.
        protocol: ``Tcp``, or ``*`` within one subnet.
    """

    name: str
    direction: Literal["Inbound", "Outbound"]
    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    port: str = "443"
    protocol: str = "Tcp"


def security_group(
    scope: Construct, id_: str, name: str, place: Place, allowed: Sequence[Allowed]
) -> NetworkSecurityGroup:
    """A security group that lets ``allowed`` through and denies all else, in both directions."""
    group = NetworkSecurityGroup(scope, id_, name=name, **place.here)
    for number, traffic in enumerate(allowed):
        _rule(scope, f"allow-{id_}-{traffic.name}", group, place, traffic, _FIRST + number)
    for direction in ("Inbound", "Outbound"):
        NetworkSecurityRule(
            scope,
            f"deny-{id_}-{direction.lower()}",
            name=f"deny-all-{direction.lower()}",
            network_security_group_name=group.name,
            priority=_LAST,
            direction=direction,
            access="Deny",
            protocol="*",
            source_address_prefix="*",
            source_port_range="*",
            destination_address_prefix="*",
            destination_port_range="*",
            **place.within,
        )
    return group


def _rule(
    scope: Construct, id_: str, group: NetworkSecurityGroup, place: Place, traffic: Allowed, priority: int
) -> None:
    NetworkSecurityRule(
        scope,
        id_,
        name=traffic.name,
        network_security_group_name=group.name,
        priority=priority,
        direction=traffic.direction,
        access="Allow",
        protocol=traffic.protocol,
        source_port_range="*",
        destination_port_range=traffic.port,
        **_ends("source", traffic.sources),
        **_ends("destination", traffic.destinations),
        **place.within,
    )


def _ends(end: str, addresses: tuple[str, ...]) -> dict[str, Any]:
    """Azure takes one range or tag in one argument, several ranges in another."""
    if len(addresses) == 1:
        return {f"{end}_address_prefix": addresses[0]}
    return {f"{end}_address_prefixes": list(addresses)}
