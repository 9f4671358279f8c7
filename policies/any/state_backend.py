"""Terraform's state lies encrypted and locked in a remote store."""

from isocenter_policies.rule import Body, Rule


class StateBackend(Rule):
    id = "ISO_ANY_004"
    severity = "high"
    title = "Terraform's state lies encrypted and locked in a remote store"
    why = "The state names every resource; two applies at once, or a lost file, break it."
    fix = (
        "Use s3 with encrypt, kms_key_id and use_lockfile, gcs with a customer-managed key, or "
        "azurerm with use_azuread_auth."
    )
    control = 33
    kinds = ("terraform.backend",)

    def holds(self, body: Body) -> bool | None:
        kind = body.get("type")
        if kind == "s3":
            locked = body.get("use_lockfile") is True
            return locked and body.get("encrypt") is True and bool(body.get("kms_key_id"))
        if kind == "azurerm":
            return (
                body.get("use_azuread_auth") is True
                and not body.get("access_key")
                and not body.get("sas_token")
            )
        if kind == "gcs":
            return bool(body.get("bucket")) and not body.get("encryption_key") and not body.get("credentials")
        # The state lies in a local file until its bucket is there; parity asks for a remote one afterwards.
        return None if kind == "local" else kind == "kubernetes"


CHECK = StateBackend()
