"""Kubernetes encrypts its secrets with our key, gives pods their own identity and checks signatures."""

from isocenter_policies.rule import Body, Rule


class GkeSecrets(Rule):
    id = "ISO_GCP_044"
    severity = "high"
    title = (
        "Kubernetes encrypts its secrets with our key, gives pods their own identity and checks signatures"
    )
    why = "A pod with the node's identity can do what every pod may do."
    fix = "Set database_encryption, workload_identity_config and binary_authorization."
    control = 29
    kinds = ("google_container_cluster",)

    def holds(self, body: Body) -> bool | None:
        encrypted = body.get("database_encryption.state") in ("ENCRYPTED", "ALL_OBJECTS_ENCRYPTION_ENABLED")
        identity = bool(body.get("workload_identity_config.workload_pool"))
        checked = body.get("binary_authorization.evaluation_mode") == "PROJECT_SINGLETON_POLICY_ENFORCE"
        return encrypted and identity and checked


CHECK = GkeSecrets()
