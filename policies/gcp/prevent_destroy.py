"""Data, keys and logs are kept from terraform destroy."""

from isocenter_policies.rule import Body, Rule


class PreventDestroy(Rule):
    id = "ISO_GCP_051"
    severity = "high"
    title = "Data, keys and logs are kept from terraform destroy"
    why = "One wrong destroy, or a renamed resource, would take patient data with it."
    fix = "Set lifecycle.prevent_destroy to true."
    control = 35
    kinds = (
        "google_kms_key_ring",
        "google_kms_crypto_key",
        "google_storage_bucket",
        "google_logging_project_bucket_config",
        "google_logging_project_sink",
        "google_project_iam_audit_config",
        "google_secret_manager_secret",
        "google_artifact_registry_repository",
        "google_sql_database_instance",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("lifecycle.prevent_destroy") is True


CHECK = PreventDestroy()
