"""A network policy says which directions it is about."""

from isocenter_policies.rule import Body, Rule


class PolicyTypes(Rule):
    id = "ISO_K8S_005"
    severity = "medium"
    title = "A network policy says which directions it is about"
    why = "A policy of ingress alone leaves egress open."
    fix = "List Egress or Ingress in policy_types for each kind of rule in it."
    control = 20
    kinds = (
        "kubernetes_network_policy",
        "kubernetes_network_policy_v1",
    )

    def holds(self, body: Body) -> bool | None:
        types = set(body.texts("spec.policy_types"))
        needed = {
            name
            for name, path in (("Egress", "spec.egress"), ("Ingress", "spec.ingress"))
            if body.blocks(path)
        }
        return bool(types) and needed <= types


CHECK = PolicyTypes()
