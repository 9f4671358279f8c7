"""No firewall rule lets traffic out to everywhere."""

from isocenter_policies.rule import Body, Rule


class OpenEgress(Rule):
    id = "ISO_GCP_025"
    severity = "high"
    title = "No firewall rule lets traffic out to everywhere"
    why = "Egress to everywhere is how data leaves."
    fix = "Name the destination ranges."
    control = 20
    kinds = ("google_compute_firewall",)

    def holds(self, body: Body) -> bool | None:
        if body.get("direction") != "EGRESS" or not body.blocks("allow"):
            return None
        ranges = body.texts("destination_ranges")
        return bool(ranges) and not any(text in ("0.0.0.0/0", "::/0") for text in ranges)


CHECK = OpenEgress()
