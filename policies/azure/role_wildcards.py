"""A role of ours names its actions."""

from isocenter_policies.rule import Body, Rule


class RoleWildcards(Rule):
    id = "ISO_AZURE_033"
    severity = "high"
    title = "A role of ours names its actions"
    why = "A role that may do everything can read every patient's data and delete the logs of it."
    fix = "List the actions."
    control = 21
    kinds = ("azurerm_role_definition",)

    def holds(self, body: Body) -> bool | None:
        named = [*body.texts("permissions.actions"), *body.texts("permissions.data_actions")]
        return "*" not in named and not any(action.endswith("Microsoft.Authorization/*") for action in named)


CHECK = RoleWildcards()
