"""Old versions of a blob are kept for 30 days."""

from isocenter_policies.rule import Body, Rule


class VersionsKept(Rule):
    id = "ISO_AZURE_067"
    severity = "high"
    title = "Old versions of a blob are kept for 30 days"
    why = "A version that is deleted early can't be restored when the overwriting is noticed."
    fix = "Set actions.version.delete_after_days_since_creation to 30 or more, or leave it out."
    control = 3
    kinds = ("azurerm_storage_management_policy",)

    def holds(self, body: Body) -> bool | None:
        days = body.all("rule.actions.version.delete_after_days_since_creation")
        return all(Body({"days": found}).number("days") >= 30 for found in days)


CHECK = VersionsKept()
