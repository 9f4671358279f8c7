"""Logs are exported to the locked store."""

from isocenter_policies.rule import Body, Rule


class LogExport(Rule):
    id = "ISO_AZURE_018"
    severity = "high"
    title = "Logs are exported to the locked store"
    why = "The workspace keeps them two years; the law wants six."
    fix = "Set enabled to true and list table_names."
    control = 11
    kinds = ("azurerm_log_analytics_data_export_rule",)

    def holds(self, body: Body) -> bool | None:
        return body.get("enabled") is True and bool(body.texts("table_names"))


CHECK = LogExport()
