"""The network asks private name servers only."""

from isocenter_policies.addresses import is_inside
from isocenter_policies.rule import Body, Rule


class NameServers(Rule):
    id = "ISO_AZURE_063"
    severity = "medium"
    title = "The network asks private name servers only"
    why = (
        "A public one learns each name, carries data out inside of names and doesn't know the private "
        "endpoints."
    )
    fix = "Leave dns_servers out, or list private addresses."
    control = 18
    kinds = (
        "azurerm_virtual_network",
        "azurerm_virtual_network_dns_servers",
        "azurerm_network_interface",
    )

    def holds(self, body: Body) -> bool | None:
        return all(is_inside(server) for server in body.texts("dns_servers"))


CHECK = NameServers()
