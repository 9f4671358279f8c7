"""Namespaces and volumes are kept from terraform destroy."""

from isocenter_policies.rule import Body, Rule


class PreventDestroy(Rule):
    id = "ISO_K8S_018"
    severity = "high"
    title = "Namespaces and volumes are kept from terraform destroy"
    why = "With the namespace every volume in it is gone."
    fix = "Set lifecycle.prevent_destroy to true."
    control = 35
    kinds = (
        "kubernetes_namespace",
        "kubernetes_namespace_v1",
        "kubernetes_persistent_volume_claim",
        "kubernetes_persistent_volume_claim_v1",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("lifecycle.prevent_destroy") is True


CHECK = PreventDestroy()
