"""Locked retention lasts six years or more."""

from isocenter_policies.rule import Body, Rule


class ObjectLockYears(Rule):
    id = "ISO_AWS_008"
    severity = "high"
    title = "Locked retention lasts six years or more"
    why = "HIPAA wants documentation kept for six years; a shorter lock lets it go earlier."
    fix = "Set rule.default_retention.years to 6 or more."
    control = 11
    kinds = ("aws_s3_bucket_object_lock_configuration",)

    def holds(self, body: Body) -> bool | None:
        years = body.number("rule.default_retention.years")
        return years >= 6 or body.number("rule.default_retention.days") >= 6 * 365 + 2


CHECK = ObjectLockYears()
