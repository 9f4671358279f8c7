"""Audit logs are kept locked for six years or more."""

from isocenter_policies.rule import Body, Rule


class LogBucketLocked(Rule):
    id = "ISO_GCP_012"
    severity = "critical"
    title = "Audit logs are kept locked for six years or more"
    why = "HIPAA wants documentation kept for six years; an unlocked bucket lets it go earlier."
    fix = "Set locked to true and retention_days to 2192 or more."
    control = 11
    kinds = ("google_logging_project_bucket_config",)

    def holds(self, body: Body) -> bool | None:
        return body.get("locked") is True and body.number("retention_days") >= 6 * 365 + 2


CHECK = LogBucketLocked()
