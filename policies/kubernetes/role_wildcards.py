"""A role names its resources and verbs."""

from isocenter_policies.rule import Body, Rule


class RoleWildcards(Rule):
    id = "ISO_K8S_006"
    severity = "high"
    title = "A role names its resources and verbs"
    why = "A role that may do everything can read every secret."
    fix = "List the resources and verbs."
    control = 21
    kinds = (
        "kubernetes_role",
        "kubernetes_role_v1",
        "kubernetes_cluster_role",
        "kubernetes_cluster_role_v1",
    )

    def holds(self, body: Body) -> bool | None:
        strong = ("*", "escalate", "bind", "impersonate")
        verbs = [verb for rule in body.blocks("rule") for verb in rule.texts("verbs")]
        return not any(verb in strong for verb in verbs) and "*" not in body.texts("rule.resources")


CHECK = RoleWildcards()
