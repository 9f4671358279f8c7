"""A storage account has no endpoints of its own on the internet's routes."""

from isocenter_policies.rule import Body, Rule


class StorageRouting(Rule):
    id = "ISO_AZURE_060"
    severity = "medium"
    title = "A storage account has no endpoints of its own on the internet's routes"
    why = (
        "Traffic by the internet's routes passes networks of strangers, and a published endpoint is one "
        "more name to reach."
    )
    fix = "Leave routing out, or set choice to MicrosoftRouting and publish_internet_endpoints to false."
    control = 18
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        published = body.get("routing.publish_internet_endpoints", False)
        return published is False and body.get("routing.choice", "MicrosoftRouting") == "MicrosoftRouting"


CHECK = StorageRouting()
