"""Kubernetes and its nodes take security patches by themselves."""

from isocenter_policies.rule import Body, Rule


class AksUpgrades(Rule):
    id = "ISO_AZURE_065"
    severity = "medium"
    title = "Kubernetes and its nodes take security patches by themselves"
    why = "A hole that is known and unpatched is the first that an attacker tries."
    fix = "Set automatic_upgrade_channel, and node_os_upgrade_channel to NodeImage or SecurityPatch."
    control = 29
    kinds = ("azurerm_kubernetes_cluster",)

    def holds(self, body: Body) -> bool | None:
        channel = body.get("automatic_upgrade_channel") in ("patch", "stable", "rapid", "node-image")
        return channel and body.get("node_os_upgrade_channel", "NodeImage") in ("NodeImage", "SecurityPatch")


CHECK = AksUpgrades()
