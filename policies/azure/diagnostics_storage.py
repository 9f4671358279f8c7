"""Reads, writes and deletions of blobs are logged."""

from isocenter_policies.rule import Body, Rule


class DiagnosticsStorage(Rule):
    id = "ISO_AZURE_015"
    severity = "critical"
    title = "Reads, writes and deletions of blobs are logged"
    why = "Without them nobody can say who saw a patient's images."
    fix = "Enable StorageRead, StorageWrite and StorageDelete, or the group audit or allLogs."
    control = 10
    kinds = ("azurerm_monitor_diagnostic_setting",)

    def holds(self, body: Body) -> bool | None:
        if "blobServices" not in body.text("target_resource_id"):
            return None
        every = {"audit", "allLogs"} & set(body.texts("enabled_log.category_group"))
        return bool(every) or {"StorageRead", "StorageWrite", "StorageDelete"} <= set(
            body.texts("enabled_log.category")
        )


CHECK = DiagnosticsStorage()
