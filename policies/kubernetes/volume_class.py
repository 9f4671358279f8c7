"""A volume names its storage class."""

from isocenter_policies.rule import Body, Rule


class VolumeClass(Rule):
    id = "ISO_K8S_009"
    severity = "high"
    title = "A volume names its storage class"
    why = "The cluster's default class may not encrypt."
    fix = "Set spec.storage_class_name to an encrypted class."
    control = 2
    kinds = (
        "kubernetes_persistent_volume_claim",
        "kubernetes_persistent_volume_claim_v1",
    )

    def holds(self, body: Body) -> bool | None:
        return bool(body.get("spec.storage_class_name"))


CHECK = VolumeClass()
