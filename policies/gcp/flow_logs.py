"""Subnets log their traffic."""

from isocenter_policies.rule import Body, Rule


class FlowLogs(Rule):
    id = "ISO_GCP_021"
    severity = "medium"
    title = "Subnets log their traffic"
    why = "Only what is recorded can be investigated."
    fix = "Set log_config with a flow_sampling of 0.5 or more and private_ip_google_access to true."
    control = 17
    kinds = ("google_compute_subnetwork",)

    def holds(self, body: Body) -> bool | None:
        if body.get("purpose") in (
            "REGIONAL_MANAGED_PROXY",
            "GLOBAL_MANAGED_PROXY",
            "PRIVATE_SERVICE_CONNECT",
        ):
            return None
        logged = bool(body.blocks("log_config")) and body.number("log_config.flow_sampling", 0.5) >= 0.5
        return logged and body.get("private_ip_google_access") is True


CHECK = FlowLogs()
