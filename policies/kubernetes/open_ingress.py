"""No network policy lets traffic in from everywhere."""

from isocenter_policies.rule import Body, Rule


class OpenIngress(Rule):
    id = "ISO_K8S_004"
    severity = "high"
    title = "No network policy lets traffic in from everywhere"
    why = "What everybody can reach, everybody can attack."
    fix = "Name pods, namespaces or ranges in each ingress rule."
    control = 20
    kinds = (
        "kubernetes_network_policy",
        "kubernetes_network_policy_v1",
    )

    def holds(self, body: Body) -> bool | None:
        ranges = body.texts("spec.ingress.from.ip_block.cidr")
        unnamed = any(not rule.blocks("from") for rule in body.blocks("spec.ingress"))
        return not unnamed and not any(text in ("0.0.0.0/0", "::/0") for text in ranges)


CHECK = OpenIngress()
