"""Data, keys and logs are kept from terraform destroy."""

from isocenter_policies.rule import Body, Rule


class PreventDestroy(Rule):
    id = "ISO_AZURE_051"
    severity = "high"
    title = "Data, keys and logs are kept from terraform destroy"
    why = "One wrong destroy, or a renamed resource, would take patient data with it."
    fix = "Set lifecycle.prevent_destroy to true."
    control = 35
    kinds = (
        "azurerm_key_vault",
        "azurerm_key_vault_key",
        "azurerm_key_vault_secret",
        "azurerm_resource_group",
        "azurerm_storage_object_replication",
        "azurerm_storage_account",
        "azurerm_storage_container",
        "azurerm_log_analytics_workspace",
        "azurerm_container_registry",
        "azurerm_machine_learning_workspace",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("lifecycle.prevent_destroy") is True


CHECK = PreventDestroy()
