"""Kubernetes and its nodes take security patches by themselves."""

from isocenter_policies.rule import Body, Rule


class GkeUpgrades(Rule):
    id = "ISO_GCP_066"
    severity = "medium"
    title = "Kubernetes and its nodes take security patches by themselves"
    why = "A hole that is known and unpatched is the first that an attacker tries."
    fix = "Set release_channel.channel of the cluster, and management.auto_upgrade of its pools to true."
    control = 29
    kinds = (
        "google_container_cluster",
        "google_container_node_pool",
    )

    def holds(self, body: Body) -> bool | None:
        if self._address.startswith("google_container_node_pool."):
            return body.get("management.auto_upgrade") is True
        return body.get("release_channel.channel") in ("RAPID", "REGULAR", "STABLE", "EXTENDED")


CHECK = GkeUpgrades()
