"""A storage account encrypts twice."""

from isocenter_policies.rule import Body, Rule


class StorageInfrastructureEncryption(Rule):
    id = "ISO_AZURE_005"
    severity = "medium"
    title = "A storage account encrypts twice"
    why = "One broken layer must not open patient data."
    fix = "Set infrastructure_encryption_enabled to true."
    control = 2
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        return body.get("infrastructure_encryption_enabled") is True


CHECK = StorageInfrastructureEncryption()
