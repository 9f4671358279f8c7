"""Defender's alerts reach a person."""

from isocenter_policies.rule import Body, Rule


class SecurityContact(Rule):
    id = "ISO_AZURE_055"
    severity = "medium"
    title = "Defender's alerts reach a person"
    why = "An alert that nobody gets is none."
    fix = "Set email and alert_notifications."
    control = 13
    kinds = ("azurerm_security_center_contact",)

    def holds(self, body: Body) -> bool | None:
        return bool(body.get("email")) and body.get("alert_notifications") is True


CHECK = SecurityContact()
