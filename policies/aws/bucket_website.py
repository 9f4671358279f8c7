"""A bucket is no website."""

from isocenter_policies.rule import Body, Rule


class BucketWebsite(Rule):
    id = "ISO_AWS_064"
    severity = "high"
    title = "A bucket is no website"
    why = "A website is for everybody."
    fix = "Leave website and aws_s3_bucket_website_configuration out."
    control = 5
    kinds = (
        "aws_s3_bucket",
        "aws_s3_bucket_website_configuration",
    )

    def holds(self, body: Body) -> bool | None:
        alone = self._address.startswith("aws_s3_bucket_website_configuration.")
        return not alone and not body.blocks("website")


CHECK = BucketWebsite()
