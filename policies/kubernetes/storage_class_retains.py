"""A storage class keeps volumes whose claim is gone."""

from isocenter_policies.rule import Body, Rule


class StorageClassRetains(Rule):
    id = "ISO_K8S_010"
    severity = "medium"
    title = "A storage class keeps volumes whose claim is gone"
    why = "With the policy Delete a removed claim takes its data with it."
    fix = "Set reclaim_policy to Retain."
    control = 35
    kinds = (
        "kubernetes_storage_class",
        "kubernetes_storage_class_v1",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("reclaim_policy") == "Retain"


CHECK = StorageClassRetains()
