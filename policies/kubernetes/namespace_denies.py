"""Each namespace denies by default, in both directions."""

from isocenter_policies.rule import Body, Rule

_POLICIES = ("kubernetes_network_policy", "kubernetes_network_policy_v1")


class NamespaceDenies(Rule):
    id = "ISO_K8S_019"
    severity = "high"
    title = "Each namespace denies by default, in and out"
    why = "A direction that no policy denies is open to every pod: data leaves by the one that was forgotten."
    fix = "Add a network policy of every pod, with the types Ingress and Egress and without a rule."
    control = 20
    kinds = (
        "kubernetes_namespace",
        "kubernetes_namespace_v1",
    )

    def holds(self, body: Body) -> bool | None:
        here = f"${{{self._address}."
        policies = [policy for kind in _POLICIES for policy in self.resources(kind).values()]
        return any(
            policy.text("metadata.namespace").startswith(here) and _denies_all(policy) for policy in policies
        )


def _denies_all(policy: Body) -> bool:
    chosen = policy.blocks("spec.pod_selector")
    every_pod = bool(chosen) and not any(value for block in chosen for value in block.content.values())
    allows = any(policy.blocks(f"spec.{rules}") for rules in ("ingress", "egress", "dynamic"))
    return every_pod and {"Ingress", "Egress"} <= set(policy.texts("spec.policy_types")) and not allows


CHECK = NamespaceDenies()
