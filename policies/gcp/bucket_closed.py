"""A bucket can't be made public, and access is by IAM alone."""

from isocenter_policies.rule import Body, Rule


class BucketClosed(Rule):
    id = "ISO_GCP_007"
    severity = "critical"
    title = "A bucket can't be made public, and access is by IAM alone"
    why = "One wrong grant, or one object's ACL, is enough to publish patient data."
    fix = "Set public_access_prevention to enforced and uniform_bucket_level_access to true."
    control = 5
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        uniform = body.get("uniform_bucket_level_access") is True
        return uniform and body.get("public_access_prevention") == "enforced"


CHECK = BucketClosed()
