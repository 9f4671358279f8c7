"""A bucket keeps old versions, or locks each object."""

from isocenter_policies.rule import Body, Rule


class BucketVersioning(Rule):
    id = "ISO_GCP_005"
    severity = "high"
    title = "A bucket keeps old versions, or locks each object"
    why = "Without versions an overwritten or deleted study is gone."
    fix = "Set versioning.enabled to true."
    control = 3
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        # Storage allows no versioning on a bucket with a retention policy: there nothing can be overwritten.
        return body.get("versioning.enabled") is True or bool(body.blocks("retention_policy"))


CHECK = BucketVersioning()
