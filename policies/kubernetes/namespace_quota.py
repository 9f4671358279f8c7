"""A namespace's GPUs are counted."""

from isocenter_policies.rule import Body, Rule


class NamespaceQuota(Rule):
    id = "ISO_K8S_011"
    severity = "medium"
    title = "A namespace's GPUs are counted"
    why = "One job could take every GPU, and no account would show it."
    fix = "Add requests.nvidia.com/gpu to spec.hard."
    control = 29
    kinds = (
        "kubernetes_resource_quota",
        "kubernetes_resource_quota_v1",
    )

    def holds(self, body: Body) -> bool | None:
        hard = body.mapping("spec.hard")
        if not {"requests.cpu", "limits.cpu", "cpu"} & set(hard):
            return None  # a quota of something else
        scoped = bool(body.blocks("spec.scope_selector")) or bool(body.texts("spec.scopes"))
        return scoped or any(name.startswith("requests.") and name.endswith("/gpu") for name in hard)


CHECK = NamespaceQuota()
