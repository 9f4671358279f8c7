"""No security group lets traffic out to everywhere."""

from isocenter_policies.rule import Body, Rule


class OpenEgress(Rule):
    id = "ISO_AWS_031"
    severity = "high"
    title = "No security group lets traffic out to everywhere"
    why = "Egress to everywhere is how data leaves."
    fix = "Name a security group, a prefix list or the network's own range."
    control = 20
    kinds = (
        "aws_vpc_security_group_egress_rule",
        "aws_security_group_rule",
        "aws_security_group",
    )

    def holds(self, body: Body) -> bool | None:
        if body.get("type") == "ingress":
            return None
        keys = (
            "cidr_ipv4",
            "cidr_ipv6",
            "cidr_blocks",
            "ipv6_cidr_blocks",
            "egress.cidr_blocks",
            "egress.ipv6_cidr_blocks",
        )
        return not any(text in ("0.0.0.0/0", "::/0") for key in keys for text in body.texts(key))


CHECK = OpenEgress()
