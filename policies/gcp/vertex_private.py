"""Vertex AI resources are in our network and under our key."""

from isocenter_policies.rule import Body, Rule


class VertexPrivate(Rule):
    id = "ISO_GCP_040"
    severity = "high"
    title = "Vertex AI resources are in our network and under our key"
    why = "A job outside the network is outside the perimeter, the firewall and the flow logs."
    fix = "Set encryption_spec.kms_key_name, and network or a private service connection."
    control = 29
    kinds = (
        "google_vertex_ai_persistent_resource",
        "google_vertex_ai_endpoint",
        "google_vertex_ai_featurestore",
        "google_vertex_ai_index_endpoint",
    )

    def holds(self, body: Body) -> bool | None:
        private = (
            "network",
            "psc_interface_config.network_attachment",
            "private_service_connect_config.enable_private_service_connect",
        )
        return bool(body.get("encryption_spec.kms_key_name")) and any(body.get(path) for path in private)


CHECK = VertexPrivate()
