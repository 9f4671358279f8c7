"""Compute nodes have no public address and nobody logs in."""

from isocenter_policies.rule import Body, Rule


class MlComputeClosed(Rule):
    id = "ISO_AZURE_041"
    severity = "high"
    title = "Compute nodes have no public address and nobody logs in"
    why = "A login on a node sees every job's data."
    fix = "Set node_public_ip_enabled, local_auth_enabled and ssh_public_access_enabled to false."
    control = 29
    kinds = (
        "azurerm_machine_learning_compute_cluster",
        "azurerm_machine_learning_compute_instance",
    )

    def holds(self, body: Body) -> bool | None:
        silent = (
            body.get("local_auth_enabled") is False and body.get("ssh_public_access_enabled", False) is False
        )
        return silent and body.get("node_public_ip_enabled") is False


CHECK = MlComputeClosed()
