"""A bucket of audit logs keeps them for six years or more."""

from isocenter_policies.rule import Body, Rule


class AuditBucketRetention(Rule):
    id = "ISO_GCP_014"
    severity = "high"
    title = "A bucket of audit logs keeps them for six years or more"
    why = "HIPAA wants documentation kept for six years."
    fix = "Set retention_policy.retention_period to 189388800 or more."
    control = 11
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        if "audit" not in body.text("name"):
            return None
        return body.number("retention_policy.retention_period") >= (6 * 365 + 2) * 86400


CHECK = AuditBucketRetention()
