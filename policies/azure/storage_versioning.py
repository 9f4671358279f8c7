"""A storage account keeps old versions and what was deleted."""

from isocenter_policies.rule import Body, Rule


class StorageVersioning(Rule):
    id = "ISO_AZURE_006"
    severity = "high"
    title = "A storage account keeps old versions and what was deleted"
    why = "Without versions an overwritten or deleted study is gone."
    fix = "Set blob_properties.versioning_enabled and delete_retention_policy."
    control = 3
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        kept = body.number("blob_properties.delete_retention_policy.days", 0) >= 7
        purged = body.get("blob_properties.delete_retention_policy.permanent_delete_enabled", False)
        return kept and purged is False and body.get("blob_properties.versioning_enabled") is True


CHECK = StorageVersioning()
