"""There are no keys of service accounts."""

from isocenter_policies.rule import Body, Rule


class NoAccountKeys(Rule):
    id = "ISO_GCP_032"
    severity = "high"
    title = "There are no keys of service accounts"
    why = "A stored key leaks sooner or later and works until somebody notices."
    fix = "Use workload identity federation."
    control = 22
    kinds = (
        "google_service_account_key",
        "google_storage_hmac_key",
    )

    def holds(self, body: Body) -> bool | None:
        return False


CHECK = NoAccountKeys()
