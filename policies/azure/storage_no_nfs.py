"""A storage account doesn't speak NFS."""

from isocenter_policies.rule import Body, Rule


class StorageNoNfs(Rule):
    id = "ISO_AZURE_057"
    severity = "high"
    title = "A storage account doesn't speak NFS"
    why = "NFS 3.0 knows machines instead of people, asks for no role and encrypts nothing on the way."
    fix = "Leave nfsv3_enabled out or false."
    control = 7
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        return body.get("nfsv3_enabled", False) is False


CHECK = StorageNoNfs()
