"""The account blocks public access to every bucket."""

from isocenter_policies.rule import Body, Rule


class AccountPublicAccess(Rule):
    id = "ISO_AWS_010"
    severity = "critical"
    title = "The account blocks public access to every bucket"
    why = "One bucket with a wrong policy is enough to publish patient data."
    fix = "Set all four settings of aws_s3_account_public_access_block to true."
    control = 5
    kinds = (
        "aws_s3_account_public_access_block",
        "aws_s3_bucket_public_access_block",
    )

    def holds(self, body: Body) -> bool | None:
        settings = (
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        )
        return all(body.get(setting) is True for setting in settings)


CHECK = AccountPublicAccess()
