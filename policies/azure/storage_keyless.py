"""A storage account knows people and jobs by their identity, not by a key."""

from isocenter_policies.rule import Body, Rule


class StorageKeyless(Rule):
    id = "ISO_AZURE_011"
    severity = "high"
    title = "A storage account knows people and jobs by their identity, not by a key"
    why = "Whoever has the account's key may do everything, and nobody knows who it was."
    fix = (
        "Set shared_access_key_enabled, local_user_enabled and sftp_enabled to false and "
        "default_to_oauth_authentication to true."
    )
    control = 7
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        local = body.get("local_user_enabled") is False and body.get("sftp_enabled", False) is False
        by_default = body.get("default_to_oauth_authentication") is True
        return local and by_default and body.get("shared_access_key_enabled") is False


CHECK = StorageKeyless()
