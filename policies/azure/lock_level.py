"""A management lock keeps from deletion."""

from isocenter_policies.rule import Body, Rule


class LockLevel(Rule):
    id = "ISO_AZURE_049"
    severity = "medium"
    title = "A management lock keeps from deletion"
    why = "A lock of another level keeps nothing."
    fix = "Set lock_level to CanNotDelete."
    control = 35
    kinds = ("azurerm_management_lock",)

    def holds(self, body: Body) -> bool | None:
        return body.get("lock_level") in ("CanNotDelete", "ReadOnly")


CHECK = LockLevel()
