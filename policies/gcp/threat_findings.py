"""Threat findings are sent somewhere."""

from isocenter_policies.rule import Body, Rule


class ThreatFindings(Rule):
    id = "ISO_GCP_017"
    severity = "medium"
    title = "Threat findings are sent somewhere"
    why = "An intrusion that nobody hears of goes on."
    fix = "Set pubsub_topic and streaming_config.filter."
    control = 14
    kinds = (
        "google_scc_v2_project_notification_config",
        "google_scc_v2_organization_notification_config",
    )

    def holds(self, body: Body) -> bool | None:
        return bool(body.get("pubsub_topic")) and bool(body.blocks("streaming_config"))


CHECK = ThreatFindings()
