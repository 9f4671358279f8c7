"""No network policy lets traffic out to everywhere."""

from isocenter_policies.rule import Body, Rule


class OpenEgress(Rule):
    id = "ISO_K8S_003"
    severity = "high"
    title = "No network policy lets traffic out to everywhere"
    why = "Egress to everywhere is how data leaves."
    fix = "Name pods, namespaces or ranges in each egress rule."
    control = 20
    kinds = (
        "kubernetes_network_policy",
        "kubernetes_network_policy_v1",
    )

    def holds(self, body: Body) -> bool | None:
        ranges = body.texts("spec.egress.to.ip_block.cidr")
        unnamed = any(not rule.blocks("to") for rule in body.blocks("spec.egress"))
        return not unnamed and not any(text in ("0.0.0.0/0", "::/0") for text in ranges)


CHECK = OpenEgress()
