"""A peering passes no other network's traffic."""

from isocenter_policies.rule import Body, Rule


class PeeringNarrow(Rule):
    id = "ISO_AZURE_056"
    severity = "medium"
    title = "A peering passes no other network's traffic"
    why = "A gateway or a forwarder behind the peering is a way to the internet."
    fix = "Set allow_forwarded_traffic, allow_gateway_transit and use_remote_gateways to false."
    control = 16
    kinds = ("azurerm_virtual_network_peering",)

    def holds(self, body: Body) -> bool | None:
        names = ("allow_forwarded_traffic", "allow_gateway_transit", "use_remote_gateways")
        return all(body.get(name, False) is False for name in names)


CHECK = PeeringNarrow()
