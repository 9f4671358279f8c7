"""No security group lets traffic in from everywhere."""

from isocenter_policies.rule import Body, Rule


class OpenIngress(Rule):
    id = "ISO_AWS_032"
    severity = "critical"
    title = "No security group lets traffic in from everywhere"
    why = "What everybody can reach, everybody can attack."
    fix = "Name a security group or the network's own range."
    control = 20
    kinds = (
        "aws_vpc_security_group_ingress_rule",
        "aws_security_group_rule",
        "aws_security_group",
    )

    def holds(self, body: Body) -> bool | None:
        if body.get("type") == "egress":
            return None
        keys = (
            "cidr_ipv4",
            "cidr_ipv6",
            "cidr_blocks",
            "ipv6_cidr_blocks",
            "ingress.cidr_blocks",
            "ingress.ipv6_cidr_blocks",
        )
        return not any(text in ("0.0.0.0/0", "::/0") for key in keys for text in body.texts(key))


CHECK = OpenIngress()
