"""Defender watches what is deployed."""

from isocenter_policies.rule import Body, Rule


class DefenderStandard(Rule):
    id = "ISO_AZURE_021"
    severity = "high"
    title = "Defender watches what is deployed"
    why = "An intrusion that nobody detects goes on."
    fix = "Set tier to Standard."
    control = 14
    kinds = ("azurerm_security_center_subscription_pricing",)

    def holds(self, body: Body) -> bool | None:
        return body.get("tier") == "Standard"


CHECK = DefenderStandard()
