"""Google's services are reached through the perimeter's own endpoint."""

from isocenter_policies.rule import Body, Rule


class PrivateGoogleApis(Rule):
    id = "ISO_GCP_022"
    severity = "high"
    title = "Google's services are reached through the perimeter's own endpoint"
    why = "The bundle all-apis also reaches services that the perimeter can't hold back."
    fix = "Set target to vpc-sc."
    control = 18
    kinds = ("google_compute_global_forwarding_rule",)

    def holds(self, body: Body) -> bool | None:
        target = body.text("target")
        return target == "vpc-sc" if target in ("all-apis", "vpc-sc") else None


CHECK = PrivateGoogleApis()
