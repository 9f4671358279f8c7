"""Terraform itself uses identities for storage, and purges no key."""

from isocenter_policies.rule import Body, Rule


class ProviderOauth(Rule):
    id = "ISO_AZURE_012"
    severity = "medium"
    title = "Terraform itself uses identities for storage, and purges no key"
    why = "A provider that asks for account keys needs them switched on."
    fix = (
        "Set the provider's storage_use_azuread to true and "
        "features.key_vault.purge_soft_delete_on_destroy to false."
    )
    control = 7
    kinds = ("provider.azurerm",)

    def holds(self, body: Body) -> bool | None:
        purges = body.get("features.key_vault.purge_soft_delete_on_destroy")
        return body.get("storage_use_azuread") is True and purges is False


CHECK = ProviderOauth()
