"""Flow logs are on and kept for 90 days."""

from isocenter_policies.rule import Body, Rule


class FlowLogOn(Rule):
    id = "ISO_AZURE_027"
    severity = "medium"
    title = "Flow logs are on and kept for 90 days"
    why = "Only what is recorded can be investigated."
    fix = "Set enabled to true and retention_policy.days to 90 or more."
    control = 17
    kinds = ("azurerm_network_watcher_flow_log",)

    def holds(self, body: Body) -> bool | None:
        days = body.number("retention_policy.days", 0)
        kept = body.get("retention_policy.enabled") is True and (days == 0 or days >= 90)
        return kept and body.get("enabled") is True


CHECK = FlowLogOn()
