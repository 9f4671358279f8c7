"""A service is reached from inside the cluster."""

from isocenter_policies.rule import Body, Rule


class ServiceInternal(Rule):
    id = "ISO_K8S_015"
    severity = "high"
    title = "A service is reached from inside the cluster"
    why = "A load balancer or a node port is open to the network around the cluster."
    fix = "Leave type at ClusterIP and put a gateway with TLS before it."
    control = 18
    kinds = (
        "kubernetes_service",
        "kubernetes_service_v1",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("spec.type", "ClusterIP") in ("ClusterIP", "ExternalName")


CHECK = ServiceInternal()
