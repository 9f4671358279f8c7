"""A key vault is reached privately and by roles."""

from isocenter_policies.rule import Body, Rule


class VaultClosed(Rule):
    id = "ISO_AZURE_002"
    severity = "critical"
    title = "A key vault is reached privately and by roles"
    why = "A vault on the internet is one stolen token away from every key."
    fix = (
        "Set public_network_access_enabled to false, rbac_authorization_enabled to true and "
        "network_acls.default_action to Deny."
    )
    control = 5
    kinds = ("azurerm_key_vault",)

    def holds(self, body: Body) -> bool | None:
        opened = ("enabled_for_deployment", "enabled_for_disk_encryption", "enabled_for_template_deployment")
        if any(body.get(name, False) is not False for name in opened):
            return False
        private = (
            body.get("public_network_access_enabled") is False
            and body.get("network_acls.default_action") == "Deny"
        )
        return private and body.get("rbac_authorization_enabled") is True and not body.blocks("access_policy")


CHECK = VaultClosed()
