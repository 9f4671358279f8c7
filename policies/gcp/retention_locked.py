"""A retention policy is locked."""

from isocenter_policies.rule import Body, Rule


class RetentionLocked(Rule):
    id = "ISO_GCP_006"
    severity = "critical"
    title = "A retention policy is locked"
    why = "A policy that isn't locked can be taken away by whoever owns the bucket."
    fix = "Set retention_policy.is_locked to true."
    control = 4
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        return body.get("retention_policy.is_locked") is True if body.blocks("retention_policy") else None


CHECK = RetentionLocked()
