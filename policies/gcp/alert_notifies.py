"""Alerts tell somebody."""

from isocenter_policies.rule import Body, Rule


class AlertNotifies(Rule):
    id = "ISO_GCP_016"
    severity = "high"
    title = "Alerts tell somebody"
    why = "An alert without a channel rings where nobody hears it."
    fix = "Set notification_channels and leave enabled on."
    control = 13
    kinds = ("google_monitoring_alert_policy",)

    def holds(self, body: Body) -> bool | None:
        return body.get("enabled", True) is True and bool(body.texts("notification_channels"))


CHECK = AlertNotifies()
