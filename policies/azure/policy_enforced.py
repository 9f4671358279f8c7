"""A policy assignment is enforced."""

from isocenter_policies.rule import Body, Rule


class PolicyEnforced(Rule):
    id = "ISO_AZURE_022"
    severity = "high"
    title = "A policy assignment is enforced"
    why = "A policy that only watches lets everything through."
    fix = "Leave enforce on."
    control = 15
    kinds = (
        "azurerm_subscription_policy_assignment",
        "azurerm_resource_policy_assignment",
        "azurerm_resource_group_policy_assignment",
        "azurerm_management_group_policy_assignment",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("enforce", True) is True


CHECK = PolicyEnforced()
