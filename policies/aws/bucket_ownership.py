"""Access to a bucket is decided by policies, not by ACLs."""

from isocenter_policies.rule import Body, Rule


class BucketOwnership(Rule):
    id = "ISO_AWS_016"
    severity = "medium"
    title = "Access to a bucket is decided by policies, not by ACLs"
    why = "With ACLs, whoever uploads an object can share it past every policy."
    fix = "Set rule.object_ownership to BucketOwnerEnforced."
    control = 7
    kinds = ("aws_s3_bucket_ownership_controls",)

    def holds(self, body: Body) -> bool | None:
        return body.get("rule.object_ownership") == "BucketOwnerEnforced"


CHECK = BucketOwnership()
