"""Owner and administrators of access are only for an emergency, under a condition."""

from isocenter_policies.rule import Body, Rule

_STRONG = ("Owner", "Contributor", "User Access Administrator", "Role Based Access Control Administrator")
_STRONG_IDS = (
    "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
    "b24988ac-6180-42a0-ab88-20f7382dd24c",
    "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
    "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
)


class StrongRoles(Rule):
    id = "ISO_AZURE_032"
    severity = "high"
    title = "Owner and administrators of access are only for an emergency, under a condition"
    why = "An owner can give himself everything, on everything below."
    fix = "Assign the role that is needed on the resource that needs it, or add a condition."
    control = 21
    kinds = ("azurerm_role_assignment",)

    def holds(self, body: Body) -> bool | None:
        strong = body.get("role_definition_name") in _STRONG or str(body.text("role_definition_id")).endswith(
            _STRONG_IDS
        )
        return not strong or bool(body.get("condition"))


CHECK = StrongRoles()
