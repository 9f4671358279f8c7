"""The network has no way to the internet."""

from isocenter_policies.rule import Body, Rule


class NoInternet(Rule):
    id = "ISO_AZURE_024"
    severity = "high"
    title = "The network has no way to the internet"
    why = "A training job that can reach the internet can send patient data there."
    fix = "Leave it out and reach Azure's services through private endpoints."
    control = 16
    kinds = (
        "azurerm_public_ip",
        "azurerm_nat_gateway",
        "azurerm_public_ip_prefix",
    )

    def holds(self, body: Body) -> bool | None:
        return False


CHECK = NoInternet()
