"""The Kubernetes API can't be reached from the internet."""

from isocenter_policies.rule import Body, Rule


class AksPrivate(Rule):
    id = "ISO_AZURE_043"
    severity = "critical"
    title = "The Kubernetes API can't be reached from the internet"
    why = "The API rules every workload; what the world can reach, the world can attack."
    fix = (
        "Set private_cluster_enabled to true and private_cluster_public_fqdn_enabled and "
        "run_command_enabled to false."
    )
    control = 29
    kinds = ("azurerm_kubernetes_cluster",)

    def holds(self, body: Body) -> bool | None:
        private = body.get("private_cluster_enabled") is True and body.get("run_command_enabled") is False
        return private and body.get("private_cluster_public_fqdn_enabled", False) is False


CHECK = AksPrivate()
