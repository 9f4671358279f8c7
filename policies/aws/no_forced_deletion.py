"""A full bucket, vault or repository can't be deleted."""

from isocenter_policies.rule import Body, Rule


class NoForcedDeletion(Rule):
    id = "ISO_AWS_059"
    severity = "high"
    title = "A full bucket, vault or repository can't be deleted"
    why = "With force_destroy a deletion empties the bucket first."
    fix = "Set force_destroy, or force_delete, to false."
    control = 35
    kinds = (
        "aws_s3_bucket",
        "aws_backup_vault",
        "aws_ecr_repository",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("force_destroy", False) is False and body.get("force_delete", False) is False


CHECK = NoForcedDeletion()
