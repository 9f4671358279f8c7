"""The Kubernetes API and nodes can't be reached from the internet."""

from isocenter_policies.rule import Body, Rule


class GkePrivate(Rule):
    id = "ISO_GCP_043"
    severity = "critical"
    title = "The Kubernetes API and nodes can't be reached from the internet"
    why = "The API rules every workload; what the world can reach, the world can attack."
    fix = "Set private_cluster_config.enable_private_nodes and enable_private_endpoint to true."
    control = 29
    kinds = ("google_container_cluster",)

    def holds(self, body: Body) -> bool | None:
        nodes = body.get("private_cluster_config.enable_private_nodes") is True
        public = body.get("master_authorized_networks_config.gcp_public_cidrs_access_enabled", False)
        return (
            nodes and public is False and body.get("private_cluster_config.enable_private_endpoint") is True
        )


CHECK = GkePrivate()
