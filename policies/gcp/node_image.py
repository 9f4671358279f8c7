"""Nodes run Container-Optimized OS."""

from isocenter_policies.rule import Body, Rule


class NodeImage(Rule):
    id = "ISO_GCP_067"
    severity = "medium"
    title = "Nodes run Container-Optimized OS"
    why = (
        "Another one has a package manager and a root that can be written: more to attack, and to leave on "
        "a node."
    )
    fix = "Set node_config.image_type to COS_CONTAINERD."
    control = 29
    kinds = ("google_container_node_pool",)

    def holds(self, body: Body) -> bool | None:
        return body.text("node_config.image_type").upper() == "COS_CONTAINERD"


CHECK = NodeImage()
