"""Only resources of this deployment pass a storage account's firewall."""

import re

from isocenter_policies.rule import Body, Rule

_OWN = re.compile(r"\$\{azurerm_[^}]+\.id\}")


class StorageFirewallOwn(Rule):
    id = "ISO_AZURE_058"
    severity = "high"
    title = "Only resources of this deployment pass a storage account's firewall"
    why = "A resource that somebody else rules is a way past the private endpoints."
    fix = "Leave private_link_access out, or refer in it to a resource of the same stack."
    control = 5
    kinds = (
        "azurerm_storage_account",
        "azurerm_storage_account_network_rules",
    )

    def holds(self, body: Body) -> bool | None:
        let_through = body.blocks("network_rules.private_link_access") + body.blocks("private_link_access")
        return all(
            _OWN.fullmatch(one.text("endpoint_resource_id")) and not one.get("endpoint_tenant_id")
            for one in let_through
        )


CHECK = StorageFirewallOwn()
