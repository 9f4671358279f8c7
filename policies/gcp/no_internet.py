"""The network has no way to the internet."""

from isocenter_policies.rule import Body, Rule


class NoInternet(Rule):
    id = "ISO_GCP_020"
    severity = "high"
    title = "The network has no way to the internet"
    why = "A training job that can reach the internet can send patient data there."
    fix = "Leave it out and reach Google's services through private access."
    control = 16
    kinds = (
        "google_compute_router_nat",
        "google_compute_address",
        "google_compute_route",
    )

    def holds(self, body: Body) -> bool | None:
        if body.get("address_type") == "INTERNAL":
            return True
        gateway = body.get("next_hop_gateway")
        if body.get("dest_range") is not None:
            return not gateway
        return False


CHECK = NoInternet()
