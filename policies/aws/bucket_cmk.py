"""A bucket encrypts with a customer-managed KMS key."""

from isocenter_policies.rule import Body, Rule


class BucketCmk(Rule):
    id = "ISO_AWS_003"
    severity = "high"
    title = "A bucket encrypts with a customer-managed KMS key"
    why = (
        "Under S3's own key, whoever may read the object may read the data; nobody can take that away"
        " by closing a key."
    )
    fix = "Set sse_algorithm to aws:kms and kms_master_key_id to the key of that purpose."
    control = 2
    kinds = ("aws_s3_bucket_server_side_encryption_configuration",)

    def holds(self, body: Body) -> bool | None:
        rules = body.blocks("rule.apply_server_side_encryption_by_default")
        return bool(rules) and all(
            rule.get("sse_algorithm") in ("aws:kms", "aws:kms:dsse") and rule.get("kms_master_key_id")
            for rule in rules
        )


CHECK = BucketCmk()
