"""Nodes' disks are encrypted with our key and nodes start protected."""

from isocenter_policies.rule import Body, Rule


class NodeDisks(Rule):
    id = "ISO_GCP_045"
    severity = "high"
    title = "Nodes' disks are encrypted with our key and nodes start protected"
    why = "Training data is copied to these disks."
    fix = "Set node_config.boot_disk_kms_key, shielded_instance_config and metadata mode GKE_METADATA."
    control = 2
    kinds = ("google_container_node_pool",)

    def holds(self, body: Body) -> bool | None:
        key = bool(body.get("node_config.boot_disk_kms_key"))
        shielded = body.get("node_config.shielded_instance_config.enable_secure_boot") is True
        return key and shielded and body.get("node_config.workload_metadata_config.mode") == "GKE_METADATA"


CHECK = NodeDisks()
