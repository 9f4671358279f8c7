"""Kubernetes has no outbound way of its own, and network policies."""

from isocenter_policies.rule import Body, Rule


class AksEgress(Rule):
    id = "ISO_AZURE_045"
    severity = "high"
    title = "Kubernetes has no outbound way of its own, and network policies"
    why = "A load balancer for egress lets every pod out."
    fix = "Set network_profile.outbound_type to none, userDefinedRouting or block, and network_policy."
    control = 20
    kinds = ("azurerm_kubernetes_cluster",)

    def holds(self, body: Body) -> bool | None:
        closed = body.get("network_profile.outbound_type") in ("userDefinedRouting", "none", "block")
        return closed and bool(body.get("network_profile.network_policy"))


CHECK = AksEgress()
