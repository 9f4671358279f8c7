"""GKE watches how clusters and workloads are set."""

from isocenter_policies.rule import Body, Rule


class GkePosture(Rule):
    id = "ISO_GCP_065"
    severity = "medium"
    title = "GKE watches how clusters and workloads are set"
    why = "A workload that may do more than it should is noticed by nobody."
    fix = "Set security_posture_config.mode to BASIC or ENTERPRISE."
    control = 15
    kinds = ("google_container_cluster",)

    def holds(self, body: Body) -> bool | None:
        return body.get("security_posture_config.mode") in ("BASIC", "ENTERPRISE")


CHECK = GkePosture()
