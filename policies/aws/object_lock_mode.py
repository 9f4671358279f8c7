"""Locked retention is in COMPLIANCE mode."""

from isocenter_policies.rule import Body, Rule


class ObjectLockMode(Rule):
    id = "ISO_AWS_006"
    severity = "critical"
    title = "Locked retention is in COMPLIANCE mode"
    why = (
        "In GOVERNANCE mode whoever holds s3:BypassGovernanceRetention can still delete what the law "
        "wants kept."
    )
    fix = "Set rule.default_retention.mode to COMPLIANCE."
    control = 4
    kinds = ("aws_s3_bucket_object_lock_configuration",)

    def holds(self, body: Body) -> bool | None:
        return body.get("rule.default_retention.mode") == "COMPLIANCE"


CHECK = ObjectLockMode()
