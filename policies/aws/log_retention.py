"""Log groups keep their events for six years or more."""

from isocenter_policies.rule import Body, Rule


class LogRetention(Rule):
    id = "ISO_AWS_021"
    severity = "high"
    title = "Log groups keep their events for six years or more"
    why = "HIPAA wants documentation kept for six years."
    fix = "Set retention_in_days to 2192 or more."
    control = 11
    kinds = ("aws_cloudwatch_log_group",)

    def holds(self, body: Body) -> bool | None:
        days = body.number("retention_in_days")
        return days == 0 or days >= 6 * 365 + 2


CHECK = LogRetention()
