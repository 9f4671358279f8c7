"""Deny by default, both ways; and the few ways that are open."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdktn_provider_google.compute_firewall import (
    ComputeFirewall,
    ComputeFirewallAllow,
    ComputeFirewallDeny,
    ComputeFirewallLogConfig,
)
from cdktn_provider_google.compute_network import ComputeNetwork
from constructs import Construct

from isocenter_infra.gcp.names import GcpNames

if TYPE_CHECKING:
    from isocenter_infra.gcp.network import Ranges

_HTTPS = "443"
_LAST, _FIRST = 65_534, 1_000
_EVERYWHERE = "0.0.0.0/0"


@dataclass(frozen=True)
class FirewallArgs:
    """What the firewall needs to know: names, the network, and its ranges."""

    names: GcpNames
    vpc: ComputeNetwork
    ranges: "Ranges"


class Firewall(Construct):
    """Rules of the network; each is logged."""

    def __init__(self, scope: Construct, id_: str, args: FirewallArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        everything = [ComputeFirewallDeny(protocol="all")]
        self._rule("deny-egress", "EGRESS", [_EVERYWHERE], deny=everything)
        self._rule("deny-ingress", "INGRESS", [_EVERYWHERE], deny=everything)
        https = [ComputeFirewallAllow(protocol="tcp", ports=[_HTTPS])]
        self._rule("to-google", "EGRESS", [f"{args.ranges.apis}/32"], allow=https)
        # Machines of one training talk to each other on ports of their choice; so do pods.
        inside = [str(r) for r in (args.ranges.workloads, args.ranges.pods) if r is not None]
        between = [ComputeFirewallAllow(protocol=protocol) for protocol in ("tcp", "udp", "icmp")]
        self._rule("to-inside", "EGRESS", inside, allow=between)
        self._rule("from-inside", "INGRESS", inside, allow=between)

    def _rule(
        self,
        name: str,
        direction: str,
        ranges: Sequence[str],
        *,
        allow: Sequence[ComputeFirewallAllow] | None = None,
        deny: Sequence[ComputeFirewallDeny] | None = None,
    ) -> None:
        ends = "destination_ranges" if direction == "EGRESS" else "source_ranges"
        ComputeFirewall(
            self,
            name,
            name=f"{self._args.names.prefix}-{name}",
            network=self._args.vpc.id,
            direction=direction,
            priority=_LAST if deny else _FIRST,
            allow=allow,
            deny=deny,
            log_config=ComputeFirewallLogConfig(metadata="INCLUDE_ALL_METADATA"),
            **{ends: list(ranges)},
        )
