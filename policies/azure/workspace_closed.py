"""The log workspace is closed to local keys and keeps its logs for a year."""

from isocenter_policies.rule import Body, Rule


class WorkspaceClosed(Rule):
    id = "ISO_AZURE_017"
    severity = "high"
    title = "The log workspace is closed to local keys and keeps its logs for a year"
    why = "Whoever has a workspace key can write false events into the audit trail."
    fix = "Set local_authentication_enabled to false and retention_in_days to 365 or more."
    control = 11
    kinds = ("azurerm_log_analytics_workspace",)

    def holds(self, body: Body) -> bool | None:
        keyless = body.get("local_authentication_enabled") is False
        return keyless and body.number("retention_in_days", 30) >= 365


CHECK = WorkspaceClosed()
