"""A bucket logs who uses it."""

from isocenter_policies.rule import Body, Rule


class BucketLogging(Rule):
    id = "ISO_GCP_010"
    severity = "medium"
    title = "A bucket logs who uses it"
    why = "Nobody can say afterwards who read a patient's images."
    fix = "Set logging.log_bucket, or keep the bucket for logs alone."
    control = 8
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        if "log" in body.text("name") or "audit" in body.text("name"):
            return None  # a bucket of logs doesn't log to itself
        return bool(body.get("logging.log_bucket"))


CHECK = BucketLogging()
