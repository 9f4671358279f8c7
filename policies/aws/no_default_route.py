"""No route leads everywhere."""

from isocenter_policies.rule import Body, Rule


class NoDefaultRoute(Rule):
    id = "ISO_AWS_026"
    severity = "high"
    title = "No route leads everywhere"
    why = "A default route is a way to the internet."
    fix = "Route to named networks only."
    control = 16
    kinds = (
        "aws_route",
        "aws_route_table",
        "aws_default_route_table",
    )

    def holds(self, body: Body) -> bool | None:
        keys = (
            "destination_cidr_block",
            "destination_ipv6_cidr_block",
            "route.cidr_block",
            "route.ipv6_cidr_block",
        )
        return not any(text in ("0.0.0.0/0", "::/0") for key in keys for text in body.texts(key))


CHECK = NoDefaultRoute()
