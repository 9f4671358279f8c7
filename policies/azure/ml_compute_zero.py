"""Compute goes back to no node when there is no work."""

from isocenter_policies.rule import Body, Rule


class MlComputeZero(Rule):
    id = "ISO_AZURE_042"
    severity = "low"
    title = "Compute goes back to no node when there is no work"
    why = "A forgotten GPU costs as much as a person."
    fix = "Set scale_settings.min_node_count to 0."
    control = 34
    kinds = ("azurerm_machine_learning_compute_cluster",)

    def holds(self, body: Body) -> bool | None:
        return body.number("scale_settings.min_node_count", 1) == 0


CHECK = MlComputeZero()
