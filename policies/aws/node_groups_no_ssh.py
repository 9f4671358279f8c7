"""Nobody logs in to a node."""

from isocenter_policies.rule import Body, Rule


class NodeGroupsNoSsh(Rule):
    id = "ISO_AWS_052"
    severity = "medium"
    title = "Nobody logs in to a node"
    why = "A login on a node sees every container's data."
    fix = "Leave remote_access out."
    control = 29
    kinds = ("aws_eks_node_group",)

    def holds(self, body: Body) -> bool | None:
        return not body.blocks("remote_access")


CHECK = NodeGroupsNoSsh()
