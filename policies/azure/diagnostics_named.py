"""A diagnostic setting sends logs, and sends them to the workspace."""

from isocenter_policies.rule import Body, Rule


class DiagnosticsNamed(Rule):
    id = "ISO_AZURE_014"
    severity = "high"
    title = "A diagnostic setting sends logs, and sends them to the workspace"
    why = "A setting without categories, or without a place, records nothing."
    fix = "List enabled_log categories and set log_analytics_workspace_id or storage_account_id."
    control = 9
    kinds = ("azurerm_monitor_diagnostic_setting",)

    def holds(self, body: Body) -> bool | None:
        logs = [*body.texts("enabled_log.category"), *body.texts("enabled_log.category_group")]
        return bool(logs) and bool(body.get("log_analytics_workspace_id") or body.get("storage_account_id"))


CHECK = DiagnosticsNamed()
