"""The registry is private, encrypted with our key, and knows nobody by password."""

from isocenter_policies.rule import Body, Rule


class RegistryClosed(Rule):
    id = "ISO_AZURE_036"
    severity = "high"
    title = "The registry is private, encrypted with our key, and knows nobody by password"
    why = "Who can push an image decides what runs on patient data."
    fix = (
        "Set sku Premium, encryption, public_network_access_enabled, admin_enabled and "
        "anonymous_pull_enabled to false."
    )
    control = 25
    kinds = ("azurerm_container_registry",)

    def holds(self, body: Body) -> bool | None:
        off = ("public_network_access_enabled", "admin_enabled")
        closed = all(body.get(name, name == "public_network_access_enabled") is False for name in off)
        named = closed and body.get("anonymous_pull_enabled", False) is False
        named = named and body.get("network_rule_bypass_for_tasks_enabled", False) is False
        return named and body.get("sku") == "Premium" and bool(body.get("encryption.key_vault_key_id"))


CHECK = RegistryClosed()
