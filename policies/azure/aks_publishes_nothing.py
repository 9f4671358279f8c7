"""Kubernetes publishes no application by itself."""

from isocenter_policies.rule import Body, Rule


class AksPublishesNothing(Rule):
    id = "ISO_AZURE_064"
    severity = "high"
    title = "Kubernetes publishes no application by itself"
    why = "The routing add-ons make a public address and a public name for what a pod offers."
    fix = "Leave http_application_routing_enabled off and web_app_routing out, or its controller Internal."
    control = 29
    kinds = ("azurerm_kubernetes_cluster",)

    def holds(self, body: Body) -> bool | None:
        routing = body.blocks("web_app_routing")
        inside = all(block.get("default_nginx_controller") in ("Internal", "None") for block in routing)
        return inside and body.get("http_application_routing_enabled", False) is False


CHECK = AksPublishesNothing()
