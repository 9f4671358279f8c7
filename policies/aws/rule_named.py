"""A security group's rule names its protocol and its ports."""

from isocenter_policies.rule import Body, Rule


def _is_narrow(rule: Body) -> bool:
    protocol = str(rule.get("ip_protocol") or rule.get("protocol") or "-1").lower()
    if protocol in ("-1", "all"):
        return False
    every = rule.number("from_port") <= 1 and rule.number("to_port", 65535) >= 65535
    return not every or protocol in ("icmp", "icmpv6", "1", "58")


class RuleNamed(Rule):
    id = "ISO_AWS_067"
    severity = "high"
    title = "A security group's rule names its protocol and its ports"
    why = "Each port that nobody needs is one that an attacker may use."
    fix = "Set ip_protocol to tcp or udp, and from_port and to_port."
    control = 20
    kinds = (
        "aws_vpc_security_group_ingress_rule",
        "aws_vpc_security_group_egress_rule",
        "aws_security_group_rule",
        "aws_security_group",
    )

    def holds(self, body: Body) -> bool | None:
        if self._address.startswith("aws_security_group."):
            return all(_is_narrow(rule) for rule in body.blocks("ingress") + body.blocks("egress"))
        return _is_narrow(body)


CHECK = RuleNamed()
