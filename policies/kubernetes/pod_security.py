"""A namespace admits only restricted pods."""

from isocenter_policies.rule import Body, Rule


class PodSecurity(Rule):
    id = "ISO_K8S_001"
    severity = "high"
    title = "A namespace admits only restricted pods"
    why = "A privileged pod owns its node and every other pod on it."
    fix = "Set the label pod-security.kubernetes.io/enforce to restricted (baseline where a driver needs it)."
    control = 29
    kinds = (
        "kubernetes_namespace",
        "kubernetes_namespace_v1",
    )

    def holds(self, body: Body) -> bool | None:
        labels = body.mapping("metadata.labels")
        return labels.get("pod-security.kubernetes.io/enforce") in ("restricted", "baseline")


CHECK = PodSecurity()
