"""Terraform runs no program."""

from isocenter_policies.rule import Body, Rule


class NoProvisioners(Rule):
    id = "ISO_ANY_005"
    severity = "high"
    title = "Terraform runs no program"
    why = "A program that an apply runs is in no plan, and nobody reviewed what it does."
    fix = "Do it in the platform layer."
    control = 15
    kinds = ("*",)

    def holds(self, body: Body) -> bool | None:
        return not body.blocks("provisioner")


CHECK = NoProvisioners()
