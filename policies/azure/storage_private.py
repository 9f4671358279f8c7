"""A storage account can't be reached from the internet, and nothing in it is public."""

from isocenter_policies.rule import Body, Rule


class StoragePrivate(Rule):
    id = "ISO_AZURE_008"
    severity = "critical"
    title = "A storage account can't be reached from the internet, and nothing in it is public"
    why = "One wrong container is enough to publish patient data."
    fix = (
        "Set public_network_access_enabled and allow_nested_items_to_be_public to false and "
        "network_rules.default_action to Deny."
    )
    control = 5
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        closed = (
            body.get("public_network_access_enabled") is False
            or body.get("public_network_access") == "Disabled"
        )
        denied = body.get("network_rules.default_action", "Deny") == "Deny"
        return closed and denied and body.get("allow_nested_items_to_be_public") is False


CHECK = StoragePrivate()
