"""A cluster enforces network policies."""

from isocenter_policies.rule import Body, Rule


class GkeNetworkPolicy(Rule):
    id = "ISO_GCP_054"
    severity = "high"
    title = "A cluster enforces network policies"
    why = "Without a data plane that enforces them, network policies are only words."
    fix = "Set datapath_provider to ADVANCED_DATAPATH, or network_policy.enabled to true."
    control = 20
    kinds = ("google_container_cluster",)

    def holds(self, body: Body) -> bool | None:
        return (
            body.get("datapath_provider") == "ADVANCED_DATAPATH" or body.get("network_policy.enabled") is True
        )


CHECK = GkeNetworkPolicy()
