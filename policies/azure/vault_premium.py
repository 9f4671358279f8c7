"""A key vault is backed by hardware, and what is deleted in it can be restored for 90 days."""

from isocenter_policies.rule import Body, Rule


class VaultPremium(Rule):
    id = "ISO_AZURE_001"
    severity = "high"
    title = "A key vault is backed by hardware, and what is deleted in it can be restored for 90 days"
    why = "A software key can be copied, and a purged key takes all that it encrypted with it."
    fix = "Set sku_name to premium, purge_protection_enabled to true and soft_delete_retention_days to 90."
    control = 1
    kinds = ("azurerm_key_vault",)

    def holds(self, body: Body) -> bool | None:
        kept = (
            body.get("purge_protection_enabled") is True
            and body.number("soft_delete_retention_days", 90) >= 90
        )
        return kept and body.get("sku_name") == "premium"


CHECK = VaultPremium()
