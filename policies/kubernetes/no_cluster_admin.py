"""Nothing is bound to cluster-admin."""

from isocenter_policies.rule import Body, Rule


class NoClusterAdmin(Rule):
    id = "ISO_K8S_007"
    severity = "critical"
    title = "Nothing is bound to cluster-admin"
    why = "Its holder owns every namespace and node."
    fix = "Bind a role that names what is needed."
    control = 21
    kinds = (
        "kubernetes_role_binding",
        "kubernetes_role_binding_v1",
        "kubernetes_cluster_role_binding",
        "kubernetes_cluster_role_binding_v1",
    )

    def holds(self, body: Body) -> bool | None:
        everyone = ("system:unauthenticated", "system:anonymous", "system:authenticated")
        strong = body.get("role_ref.name") in ("cluster-admin", "admin", "edit")
        return not strong and not any(name in everyone for name in body.texts("subject.name"))


CHECK = NoClusterAdmin()
