"""Nodes' disks are encrypted on the host, under our key."""

from isocenter_policies.rule import Body, Rule


class NodeDisks(Rule):
    id = "ISO_AZURE_046"
    severity = "high"
    title = "Nodes' disks are encrypted on the host, under our key"
    why = "Training data is copied to these disks."
    fix = "Set host_encryption_enabled on each pool and disk_encryption_set_id on the cluster."
    control = 2
    kinds = (
        "azurerm_kubernetes_cluster",
        "azurerm_kubernetes_cluster_node_pool",
    )

    def holds(self, body: Body) -> bool | None:
        if body.blocks("default_node_pool"):
            host = body.get("default_node_pool.host_encryption_enabled") is True
            return host and bool(body.get("disk_encryption_set_id"))
        public = body.get("node_public_ip_enabled", False)
        return body.get("host_encryption_enabled") is True and public is False


CHECK = NodeDisks()
