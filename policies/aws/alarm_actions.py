"""Alarms tell somebody."""

from isocenter_policies.rule import Body, Rule


class AlarmActions(Rule):
    id = "ISO_AWS_022"
    severity = "high"
    title = "Alarms tell somebody"
    why = "An alarm without an action rings where nobody hears it."
    fix = "Set alarm_actions to the alarms' topic and leave actions_enabled on."
    control = 13
    kinds = ("aws_cloudwatch_metric_alarm",)

    def holds(self, body: Body) -> bool | None:
        return bool(body.texts("alarm_actions")) and body.get("actions_enabled", True) is True


CHECK = AlarmActions()
