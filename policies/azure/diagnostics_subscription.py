"""The subscription's activity log is kept."""

import re

from isocenter_policies.rule import Body, Rule

_SUBSCRIPTION = re.compile(r"/subscriptions/[^/]+|\$\{data\.azurerm_subscription\.[^}]+\}")


class DiagnosticsSubscription(Rule):
    id = "ISO_AZURE_016"
    severity = "critical"
    title = "The subscription's activity log is kept"
    why = "Without it nobody can say who changed what."
    fix = "Enable Administrative, Security, Policy and Alert."
    control = 9
    kinds = ("azurerm_monitor_diagnostic_setting",)

    def holds(self, body: Body) -> bool | None:
        if not _SUBSCRIPTION.fullmatch(body.text("target_resource_id")):
            return None
        every = {"audit", "allLogs"} & set(body.texts("enabled_log.category_group"))
        return bool(every) or {"Administrative", "Security", "Policy"} <= set(
            body.texts("enabled_log.category")
        )


CHECK = DiagnosticsSubscription()
