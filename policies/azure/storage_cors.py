"""A storage account names the websites whose scripts may use it."""

from isocenter_policies.rule import Body, Rule


class StorageCors(Rule):
    id = "ISO_AZURE_059"
    severity = "high"
    title = "A storage account names the websites whose scripts may use it"
    why = (
        "A script on any website could read patient data through the browser of somebody inside the network."
    )
    fix = "List allowed_origins by name, or leave cors_rule out."
    control = 5
    kinds = (
        "azurerm_storage_account",
        "azurerm_storage_account_queue_properties",
    )

    def holds(self, body: Body) -> bool | None:
        services = ("blob_properties.", "queue_properties.", "share_properties.", "")
        named = [site for place in services for site in body.texts(f"{place}cors_rule.allowed_origins")]
        return not any("*" in site for site in named)


CHECK = StorageCors()
