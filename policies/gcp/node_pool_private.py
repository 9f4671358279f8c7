"""Nodes have no public address."""

from isocenter_policies.rule import Body, Rule


class NodePoolPrivate(Rule):
    id = "ISO_GCP_056"
    severity = "high"
    title = "Nodes have no public address"
    why = "A node that the internet reaches shows every container on it."
    fix = "Set network_config.enable_private_nodes to true."
    control = 29
    kinds = ("google_container_node_pool",)

    def holds(self, body: Body) -> bool | None:
        return body.get("network_config.enable_private_nodes") is True


CHECK = NodePoolPrivate()
