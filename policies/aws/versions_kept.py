"""Old versions of an object are kept for 30 days."""

from isocenter_policies.rule import Body, Rule


class VersionsKept(Rule):
    id = "ISO_AWS_068"
    severity = "high"
    title = "Old versions of an object are kept for 30 days"
    why = "A version that is deleted early can't be restored when the overwriting is noticed."
    fix = "Set noncurrent_version_expiration.noncurrent_days to 30 or more."
    control = 3
    kinds = ("aws_s3_bucket_lifecycle_configuration",)

    def holds(self, body: Body) -> bool | None:
        ends = body.blocks("rule.noncurrent_version_expiration")
        return all(end.number("noncurrent_days") >= 30 for end in ends)


CHECK = VersionsKept()
