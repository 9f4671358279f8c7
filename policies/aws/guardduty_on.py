"""Threat detection is on and reports within the hour."""

from isocenter_policies.rule import Body, Rule


class GuarddutyOn(Rule):
    id = "ISO_AWS_023"
    severity = "high"
    title = "Threat detection is on and reports within the hour"
    why = "An intrusion that nobody detects goes on."
    fix = "Set enable to true and finding_publishing_frequency to FIFTEEN_MINUTES or ONE_HOUR."
    control = 14
    kinds = ("aws_guardduty_detector",)

    def holds(self, body: Body) -> bool | None:
        often = body.get("finding_publishing_frequency") in ("FIFTEEN_MINUTES", "ONE_HOUR")
        return body.get("enable", True) is True and often


CHECK = GuarddutyOn()
