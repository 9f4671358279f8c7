"""A bucket names the websites whose scripts may use it."""

from isocenter_policies.rule import Body, Rule


class BucketCors(Rule):
    id = "ISO_AWS_065"
    severity = "high"
    title = "A bucket names the websites whose scripts may use it"
    why = (
        "A script on any website could read patient data through the browser of somebody inside the network."
    )
    fix = "List cors_rule.allowed_origins by name, or leave cors_rule out."
    control = 5
    kinds = (
        "aws_s3_bucket",
        "aws_s3_bucket_cors_configuration",
    )

    def holds(self, body: Body) -> bool | None:
        return not any("*" in site for site in body.texts("cors_rule.allowed_origins"))


CHECK = BucketCors()
