"""A key rotates within a year."""

from isocenter_policies.rule import Body, Rule


class KmsRotation(Rule):
    id = "ISO_GCP_003"
    severity = "high"
    title = "A key rotates within a year"
    why = "A key that never rotates lets one leak open every year's data."
    fix = "Set rotation_period to 7776000s (90 days)."
    control = 1
    kinds = ("google_kms_crypto_key",)

    def holds(self, body: Body) -> bool | None:
        if body.get("purpose", "ENCRYPT_DECRYPT") != "ENCRYPT_DECRYPT":
            return None
        return 0 < body.number("rotation_period") <= 365 * 86400


CHECK = KmsRotation()
