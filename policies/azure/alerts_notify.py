"""Alerts tell somebody."""

from isocenter_policies.rule import Body, Rule


class AlertsNotify(Rule):
    id = "ISO_AZURE_019"
    severity = "high"
    title = "Alerts tell somebody"
    why = "An alert without an action group rings where nobody hears it."
    fix = "Set action.action_groups and leave enabled on."
    control = 13
    kinds = (
        "azurerm_monitor_scheduled_query_rules_alert_v2",
        "azurerm_monitor_activity_log_alert",
        "azurerm_monitor_metric_alert",
    )

    def holds(self, body: Body) -> bool | None:
        groups = [*body.texts("action.action_groups"), *body.texts("action.action_group_id")]
        return bool(groups) and body.get("enabled", True) is True


CHECK = AlertsNotify()
