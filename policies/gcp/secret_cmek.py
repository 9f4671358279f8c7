"""A secret is encrypted with our key and stays in its regions."""

from isocenter_policies.rule import Body, Rule


class SecretCmek(Rule):
    id = "ISO_GCP_039"
    severity = "high"
    title = "A secret is encrypted with our key and stays in its regions"
    why = "Automatic replication puts the pseudonyms' key into regions that nobody chose."
    fix = "Use replication.user_managed with customer_managed_encryption in each replica."
    control = 28
    kinds = ("google_secret_manager_secret",)

    def holds(self, body: Body) -> bool | None:
        replicas = body.blocks("replication.user_managed.replicas")
        return bool(replicas) and all(r.get("customer_managed_encryption.kms_key_name") for r in replicas)


CHECK = SecretCmek()
