"""Each network denies egress by default."""

from isocenter_policies.rule import Body, Rule


class DenyEgress(Rule):
    id = "ISO_GCP_027"
    severity = "high"
    title = "Each network denies egress by default"
    why = "Google's default rule lets everything out."
    fix = "Add a google_compute_firewall with direction EGRESS that denies all protocols to 0.0.0.0/0."
    control = 20
    kinds = ("google_compute_network",)

    def holds(self, body: Body) -> bool | None:
        return any(
            rule.get("direction") == "EGRESS"
            and "all" in rule.texts("deny.protocol")
            and not rule.get("disabled")
            for rule in self.referring("google_compute_firewall")
        )


CHECK = DenyEgress()
