"""Keys live in a hardware security module."""

from isocenter_policies.rule import Body, Rule


class KmsHsm(Rule):
    id = "ISO_GCP_001"
    severity = "high"
    title = "Keys live in a hardware security module"
    why = "A software key can be copied out of the machine that holds it."
    fix = "Set version_template.protection_level to HSM."
    control = 1
    kinds = ("google_kms_crypto_key",)

    def holds(self, body: Body) -> bool | None:
        return body.get("version_template.protection_level") in ("HSM", "EXTERNAL", "EXTERNAL_VPC")


CHECK = KmsHsm()
