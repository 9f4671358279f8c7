"""Locked retention is locked and lasts six years or more."""

from isocenter_policies.rule import Body, Rule


class ImmutabilityLocked(Rule):
    id = "ISO_AZURE_007"
    severity = "critical"
    title = "Locked retention is locked and lasts six years or more"
    why = "An unlocked policy can be taken away, and HIPAA wants documentation kept for six years."
    fix = "Set locked to true and immutability_period_in_days to 2192 or more."
    control = 4
    kinds = ("azurerm_storage_container_immutability_policy",)

    def holds(self, body: Body) -> bool | None:
        days = body.number("immutability_period_in_days")
        return body.get("locked") is True and days >= 6 * 365 + 2


CHECK = ImmutabilityLocked()
