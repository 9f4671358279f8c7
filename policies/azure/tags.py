"""Every resource says whose it is and what data it holds."""

from isocenter_policies.rule import Body, Rule


class Tags(Rule):
    id = "ISO_AZURE_023"
    severity = "medium"
    title = "Every resource says whose it is and what data it holds"
    why = "A resource without an owner and a classification is in nobody's review."
    fix = "Set the tags environment, owner, data-classification and cost-centre."
    control = 15
    kinds = (
        "azurerm_resource_group",
        "azurerm_storage_account",
        "azurerm_key_vault",
        "azurerm_key_vault_key",
        "azurerm_container_registry",
        "azurerm_virtual_network",
        "azurerm_network_security_group",
        "azurerm_log_analytics_workspace",
        "azurerm_machine_learning_workspace",
        "azurerm_machine_learning_compute_cluster",
        "azurerm_user_assigned_identity",
        "azurerm_kubernetes_cluster",
        "azurerm_private_endpoint",
        "azurerm_application_insights",
    )

    def holds(self, body: Body) -> bool | None:
        tags = body.mapping("tags")
        wanted = ("environment", "owner", "data-classification", "cost-centre")
        return all(tags.get(tag) for tag in wanted)


CHECK = Tags()
