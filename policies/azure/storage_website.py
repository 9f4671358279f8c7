"""A storage account is no website."""

from isocenter_policies.rule import Body, Rule


class StorageWebsite(Rule):
    id = "ISO_AZURE_066"
    severity = "high"
    title = "A storage account is no website"
    why = "A website is for everybody, whatever its containers say."
    fix = "Leave static_website out."
    control = 5
    kinds = (
        "azurerm_storage_account",
        "azurerm_storage_account_static_website",
    )

    def holds(self, body: Body) -> bool | None:
        alone = self._address.startswith("azurerm_storage_account_static_website.")
        return not alone and not body.blocks("static_website")


CHECK = StorageWebsite()
