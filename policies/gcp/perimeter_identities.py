"""No rule of the perimeter lets any identity through."""

from isocenter_policies.rule import Body, Rule


class PerimeterIdentities(Rule):
    id = "ISO_GCP_024"
    severity = "high"
    title = "No rule of the perimeter lets any identity through"
    why = "A rule for any identity is a hole in the perimeter."
    fix = "Name identities, or use ANY_SERVICE_ACCOUNT with named sources."
    control = 19
    kinds = ("google_access_context_manager_service_perimeter",)

    def holds(self, body: Body) -> bool | None:
        paths = ("ingress_policies.ingress_from", "egress_policies.egress_from")
        return not any("ANY_IDENTITY" in body.texts(f"status.{path}.identity_type") for path in paths)


CHECK = PerimeterIdentities()
