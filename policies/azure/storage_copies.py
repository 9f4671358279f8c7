"""A storage account copies nothing into another tenant."""

from isocenter_policies.rule import Body, Rule


class StorageCopies(Rule):
    id = "ISO_AZURE_013"
    severity = "high"
    title = "A storage account copies nothing into another tenant"
    why = "Replication to a stranger's account is a way out for patient data."
    fix = "Set cross_tenant_replication_enabled to false and allowed_copy_scope to AAD or PrivateLink."
    control = 19
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        scoped = body.get("allowed_copy_scope") in ("AAD", "PrivateLink")
        return scoped and body.get("cross_tenant_replication_enabled", False) is False


CHECK = StorageCopies()
