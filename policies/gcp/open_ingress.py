"""No firewall rule lets traffic in from everywhere."""

from isocenter_policies.rule import Body, Rule


class OpenIngress(Rule):
    id = "ISO_GCP_026"
    severity = "critical"
    title = "No firewall rule lets traffic in from everywhere"
    why = "What everybody can reach, everybody can attack."
    fix = "Name the source ranges, tags or service accounts."
    control = 20
    kinds = ("google_compute_firewall",)

    def holds(self, body: Body) -> bool | None:
        if body.get("direction", "INGRESS") != "INGRESS" or not body.blocks("allow"):
            return None
        return not any(text in ("0.0.0.0/0", "::/0") for text in body.texts("source_ranges"))


CHECK = OpenIngress()
