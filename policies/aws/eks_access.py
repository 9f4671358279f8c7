"""Access to Kubernetes is by access entries, and its creator has none by right."""

from isocenter_policies.rule import Body, Rule


class EksAccess(Rule):
    id = "ISO_AWS_048"
    severity = "medium"
    title = "Access to Kubernetes is by access entries, and its creator has none by right"
    why = "A config map that grants access isn't in CloudTrail, and a forgotten creator stays administrator."
    fix = (
        "Set access_config.authentication_mode to API and bootstrap_cluster_creator_admin_permissions"
        " to false."
    )
    control = 21
    kinds = ("aws_eks_cluster",)

    def holds(self, body: Body) -> bool | None:
        entries = body.get("access_config.authentication_mode") == "API"
        return entries and body.get("access_config.bootstrap_cluster_creator_admin_permissions") is False


CHECK = EksAccess()
