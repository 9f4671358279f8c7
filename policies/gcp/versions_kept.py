"""Old versions of an object are kept for 30 days."""

from isocenter_policies.rule import Body, Rule


class VersionsKept(Rule):
    id = "ISO_GCP_063"
    severity = "high"
    title = "Old versions of an object are kept for 30 days"
    why = "A version that is deleted early can't be restored when the overwriting is noticed."
    fix = (
        "Set days_since_noncurrent_time to 30 or more where a lifecycle rule deletes, or with_state to LIVE."
    )
    control = 3
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        return all(
            rule.get("condition.with_state") == "LIVE"
            or rule.number("condition.days_since_noncurrent_time") >= 30
            for rule in body.blocks("lifecycle_rule")
            if rule.get("action.type") == "Delete"
        )


CHECK = VersionsKept()
