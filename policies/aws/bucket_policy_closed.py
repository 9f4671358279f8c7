"""A resource policy allows nothing to everybody."""

from isocenter_policies.iam import statements
from isocenter_policies.rule import Body, Rule


class BucketPolicyClosed(Rule):
    id = "ISO_AWS_015"
    severity = "critical"
    title = "A resource policy allows nothing to everybody"
    why = "An allowance to everybody is open to each AWS account in the world."
    fix = "Name the principals, or add a condition on the account, the organisation or the source."
    control = 5
    kinds = (
        "aws_s3_bucket_policy",
        "aws_sns_topic_policy",
        "aws_sqs_queue_policy",
        "aws_ecr_repository_policy",
        "aws_secretsmanager_secret_policy",
        "aws_kms_key",
        "aws_kms_key_policy",
        "aws_backup_vault_policy",
    )

    def holds(self, body: Body) -> bool | None:
        return not any(
            found.allows and found.anyone and not found.conditions for found in statements(body, "policy")
        )


CHECK = BucketPolicyClosed()
