"""The rule that denies egress denies all of it."""

from isocenter_policies.rule import Body, Rule


class FirewallDenyAll(Rule):
    id = "ISO_GCP_028"
    severity = "high"
    title = "The rule that denies egress denies all of it"
    why = "A denial of some ports or ranges leaves the others open."
    fix = "Deny the protocol all to 0.0.0.0/0."
    control = 20
    kinds = ("google_compute_firewall",)

    def holds(self, body: Body) -> bool | None:
        if body.get("direction") != "EGRESS" or not body.blocks("deny"):
            return None
        everywhere = "0.0.0.0/0" in body.texts("destination_ranges")
        return everywhere and "all" in body.texts("deny.protocol") and not body.get("disabled")


CHECK = FirewallDenyAll()
