"""A bucket encrypts with a customer-managed key."""

from isocenter_policies.rule import Body, Rule


class BucketCmek(Rule):
    id = "ISO_GCP_004"
    severity = "high"
    title = "A bucket encrypts with a customer-managed key"
    why = "Under Google's own key nobody can close the data by closing a key."
    fix = "Set encryption.default_kms_key_name."
    control = 2
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        return bool(body.get("encryption.default_kms_key_name"))


CHECK = BucketCmek()
