"""Audit logs are encrypted with our key."""

from isocenter_policies.rule import Body, Rule


class LogBucketCmek(Rule):
    id = "ISO_GCP_013"
    severity = "high"
    title = "Audit logs are encrypted with our key"
    why = "Logs name patients' studies."
    fix = "Set cmek_settings.kms_key_name."
    control = 11
    kinds = ("google_logging_project_bucket_config",)

    def holds(self, body: Body) -> bool | None:
        return bool(body.get("cmek_settings.kms_key_name"))


CHECK = LogBucketCmek()
