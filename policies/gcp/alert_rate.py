"""An alert speaks again within the hour."""

from isocenter_policies.rule import Body, Rule


class AlertRate(Rule):
    id = "ISO_GCP_064"
    severity = "medium"
    title = "An alert speaks again within the hour"
    why = "After the first notification an attacker would have all day, unheard."
    fix = "Set alert_strategy.notification_rate_limit.period to 3600s or less."
    control = 13
    kinds = ("google_monitoring_alert_policy",)

    def holds(self, body: Body) -> bool | None:
        return body.number("alert_strategy.notification_rate_limit.period") <= 3600


CHECK = AlertRate()
