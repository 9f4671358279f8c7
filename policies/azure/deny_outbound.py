"""Each network security group denies what goes out by default."""

from isocenter_policies.rule import Body, Rule


class DenyOutbound(Rule):
    id = "ISO_AZURE_052"
    severity = "high"
    title = "Each network security group denies what goes out by default"
    why = "Azure's default rules let everything out to the internet."
    fix = "Add a rule with access Deny, direction Outbound and * for protocol, ports and destination."
    control = 20
    kinds = ("azurerm_network_security_group",)

    def holds(self, body: Body) -> bool | None:
        rules = [*body.blocks("security_rule"), *self.referring("azurerm_network_security_rule")]
        return any(
            rule.get("access") == "Deny"
            and rule.get("direction") == "Outbound"
            and rule.get("destination_address_prefix") == "*"
            and rule.get("destination_port_range") == "*"
            and rule.get("protocol") == "*"
            for rule in rules
        )


CHECK = DenyOutbound()
