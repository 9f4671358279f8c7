"""The peering with Google's services keeps to the perimeter."""

from isocenter_policies.rule import Body, Rule


class PeeringPerimeter(Rule):
    id = "ISO_GCP_059"
    severity = "high"
    title = "The peering with Google's services keeps to the perimeter"
    why = "Without it Google's side of the peering has a route to the internet."
    fix = "Set enabled to true."
    control = 19
    kinds = ("google_service_networking_vpc_service_controls",)

    def holds(self, body: Body) -> bool | None:
        return body.get("enabled") is True


CHECK = PeeringPerimeter()
