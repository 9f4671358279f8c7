"""A key can be restored for 30 days after its deletion."""

from isocenter_policies.rule import Body, Rule


class KmsDestroyDelay(Rule):
    id = "ISO_GCP_002"
    severity = "high"
    title = "A key can be restored for 30 days after its deletion"
    why = "A key that is gone takes all that it encrypted with it."
    fix = "Set destroy_scheduled_duration to 2592000s or more."
    control = 1
    kinds = ("google_kms_crypto_key",)

    def holds(self, body: Body) -> bool | None:
        return body.number("destroy_scheduled_duration", 30 * 86400) >= 30 * 86400


CHECK = KmsDestroyDelay()
