"""A bucket policy denies TLS before 1.2."""

from isocenter_policies.iam import statements
from isocenter_policies.rule import Body, Rule


class BucketTlsVersion(Rule):
    id = "ISO_AWS_014"
    severity = "medium"
    title = "A bucket policy denies TLS before 1.2"
    why = "TLS 1.0 and 1.1 can be broken, and S3 may still be asked for them through old endpoints."
    fix = "Add a denial where s3:TlsVersion is below 1.2."
    control = 6
    kinds = ("aws_s3_bucket_policy",)

    def holds(self, body: Body) -> bool | None:
        return any(
            not found.allows and found.anyone and found.condition("s3:tlsversion") in (("1.2",), ("1.3",))
            for found in statements(body, "policy")
        )


CHECK = BucketTlsVersion()
