"""A secret has its own key and can be restored for 30 days."""

from isocenter_policies.rule import Body, Rule


class SecretRecovery(Rule):
    id = "ISO_AWS_043"
    severity = "high"
    title = "A secret has its own key and can be restored for 30 days"
    why = "A pseudonym key that is deleted at once can't be had back, and with it the link to the patients."
    fix = "Set kms_key_id, and recovery_window_in_days to 30."
    control = 28
    kinds = ("aws_secretsmanager_secret",)

    def holds(self, body: Body) -> bool | None:
        return bool(body.get("kms_key_id")) and body.number("recovery_window_in_days", 30) >= 30


CHECK = SecretRecovery()
