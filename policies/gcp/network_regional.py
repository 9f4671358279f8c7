"""The network takes routes of its own region only."""

from isocenter_policies.rule import Body, Rule


class NetworkRegional(Rule):
    id = "ISO_GCP_069"
    severity = "low"
    title = "The network takes routes of its own region only"
    why = (
        "With global routing a connection in another region becomes a way out of this one, and of its "
        "residency zone."
    )
    fix = "Leave routing_mode out or REGIONAL."
    control = 16
    kinds = ("google_compute_network",)

    def holds(self, body: Body) -> bool | None:
        return body.get("routing_mode", "REGIONAL") == "REGIONAL"


CHECK = NetworkRegional()
