"""Vertex AI keeps what it stores under our key."""

from isocenter_policies.rule import Body, Rule


class VertexKey(Rule):
    id = "ISO_GCP_041"
    severity = "high"
    title = "Vertex AI keeps what it stores under our key"
    why = "Metadata, datasets and boards describe patients' studies."
    fix = "Set encryption_spec.kms_key_name."
    control = 29
    kinds = (
        "google_vertex_ai_dataset",
        "google_vertex_ai_metadata_store",
        "google_vertex_ai_tensorboard",
        "google_vertex_ai_feature_online_store",
    )

    def holds(self, body: Body) -> bool | None:
        return bool(body.get("encryption_spec.kms_key_name"))


CHECK = VertexKey()
