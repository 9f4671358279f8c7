"""The ML workspace is on a managed network that lets out only what is approved."""

from isocenter_policies.rule import Body, Rule


class MlManagedNetwork(Rule):
    id = "ISO_AZURE_038"
    severity = "critical"
    title = "The ML workspace is on a managed network that lets out only what is approved"
    why = "A training job that can reach the internet can send patient data there."
    fix = "Set managed_network.isolation_mode to AllowOnlyApprovedOutbound."
    control = 29
    kinds = ("azurerm_machine_learning_workspace",)

    def holds(self, body: Body) -> bool | None:
        return body.get("managed_network.isolation_mode") == "AllowOnlyApprovedOutbound"


CHECK = MlManagedNetwork()
