"""A subnet has no outbound access by default."""

from isocenter_policies.rule import Body, Rule


class SubnetOutbound(Rule):
    id = "ISO_AZURE_025"
    severity = "high"
    title = "A subnet has no outbound access by default"
    why = "Azure's default access lets everything out without an address that anybody chose."
    fix = "Set default_outbound_access_enabled to false."
    control = 20
    kinds = ("azurerm_subnet",)

    def holds(self, body: Body) -> bool | None:
        return body.get("default_outbound_access_enabled") is False


CHECK = SubnetOutbound()
