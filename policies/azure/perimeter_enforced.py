"""A network security perimeter is enforced."""

from isocenter_policies.rule import Body, Rule


class PerimeterEnforced(Rule):
    id = "ISO_AZURE_031"
    severity = "medium"
    title = "A network security perimeter is enforced"
    why = "A perimeter that only learns lets everything through."
    fix = "Set access_mode to Enforced."
    control = 19
    kinds = ("azurerm_network_security_perimeter_association",)

    def holds(self, body: Body) -> bool | None:
        return body.get("access_mode") == "Enforced"


CHECK = PerimeterEnforced()
