"""A KMS key can be restored for 30 days after its deletion."""

from isocenter_policies.rule import Body, Rule


class KmsDeletionWindow(Rule):
    id = "ISO_AWS_001"
    severity = "high"
    title = "A KMS key can be restored for 30 days after its deletion"
    why = "A key that is gone takes all that it encrypted with it."
    fix = "Set deletion_window_in_days to 30."
    control = 1
    kinds = ("aws_kms_key",)

    def holds(self, body: Body) -> bool | None:
        return body.number("deletion_window_in_days", 30) >= 30


CHECK = KmsDeletionWindow()
