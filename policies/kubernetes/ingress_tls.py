"""An ingress speaks TLS."""

from isocenter_policies.rule import Body, Rule


class IngressTls(Rule):
    id = "ISO_K8S_016"
    severity = "high"
    title = "An ingress speaks TLS"
    why = "A browser that talks HTTP sends patient data in the clear."
    fix = "Add spec.tls with its secret."
    control = 6
    kinds = (
        "kubernetes_ingress",
        "kubernetes_ingress_v1",
    )

    def holds(self, body: Body) -> bool | None:
        return bool(body.blocks("spec.tls"))


CHECK = IngressTls()
