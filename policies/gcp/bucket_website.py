"""A bucket is no website."""

from isocenter_policies.rule import Body, Rule


class BucketWebsite(Rule):
    id = "ISO_GCP_060"
    severity = "high"
    title = "A bucket is no website"
    why = "A website is for everybody."
    fix = "Leave website out."
    control = 5
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        return not body.blocks("website")


CHECK = BucketWebsite()
