"""A storage account wants HTTPS with TLS 1.2 or newer."""

from isocenter_policies.rule import Body, Rule


class StorageTls(Rule):
    id = "ISO_AZURE_010"
    severity = "high"
    title = "A storage account wants HTTPS with TLS 1.2 or newer"
    why = "A client that talks HTTP sends patient data in the clear."
    fix = "Set https_traffic_only_enabled to true and min_tls_version to TLS1_2."
    control = 6
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        encrypted = body.get("https_traffic_only_enabled", True) is True
        return encrypted and body.get("min_tls_version", "TLS1_2") in ("TLS1_2", "TLS1_3")


CHECK = StorageTls()
