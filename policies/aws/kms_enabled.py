"""A KMS key is enabled, rotated, and of the kind that can be rotated."""

from isocenter_policies.rule import Body, Rule


class KmsEnabled(Rule):
    id = "ISO_AWS_002"
    severity = "high"
    title = "A KMS key is enabled, rotated, and of the kind that can be rotated"
    why = (
        "A disabled key makes its data unreadable, and one that never rotates lets one leak open "
        "every year's data."
    )
    fix = (
        "Set enable_key_rotation to true and leave is_enabled, key_usage and customer_master_key_spec"
        " at their defaults."
    )
    control = 1
    kinds = ("aws_kms_key",)

    def holds(self, body: Body) -> bool | None:
        if body.get("key_usage", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
            return None
        symmetric = body.get("customer_master_key_spec", "SYMMETRIC_DEFAULT") == "SYMMETRIC_DEFAULT"
        rotated = (
            body.get("enable_key_rotation") is True and body.number("rotation_period_in_days", 365) <= 366
        )
        return symmetric and rotated and body.get("is_enabled", True) is True


CHECK = KmsEnabled()
