"""The default security group lets nothing through."""

from isocenter_policies.rule import Body, Rule


class DefaultSecurityGroup(Rule):
    id = "ISO_AWS_027"
    severity = "medium"
    title = "The default security group lets nothing through"
    why = "Whatever is started without a group of its own lands in the default one."
    fix = "Set ingress and egress of aws_default_security_group to empty lists."
    control = 16
    kinds = ("aws_default_security_group",)

    def holds(self, body: Body) -> bool | None:
        return not body.blocks("ingress") and not body.blocks("egress")


CHECK = DefaultSecurityGroup()
