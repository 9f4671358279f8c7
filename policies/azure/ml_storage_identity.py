"""The ML workspace opens its storage by identity."""

from isocenter_policies.rule import Body, Rule


class MlStorageIdentity(Rule):
    id = "ISO_AZURE_040"
    severity = "medium"
    title = "The ML workspace opens its storage by identity"
    why = "With keys, every user of the workspace may read everything."
    fix = "Set storage_account_access_type to Identity."
    control = 7
    kinds = ("azurerm_machine_learning_workspace",)

    def holds(self, body: Body) -> bool | None:
        return body.get("storage_account_access_type") == "Identity"


CHECK = MlStorageIdentity()
