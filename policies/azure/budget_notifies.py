"""The budget tells somebody before it is spent."""

from isocenter_policies.rule import Body, Rule


class BudgetNotifies(Rule):
    id = "ISO_AZURE_048"
    severity = "low"
    title = "The budget tells somebody before it is spent"
    why = "A forgotten GPU costs as much as a person."
    fix = "Add a notification below 100 % with contacts."
    control = 34
    kinds = (
        "azurerm_consumption_budget_resource_group",
        "azurerm_consumption_budget_subscription",
    )

    def holds(self, body: Body) -> bool | None:
        notifications = [n for n in body.blocks("notification") if n.get("enabled", True) is True]
        contacts = ("contact_emails", "contact_groups", "contact_roles")
        heard = all(any(n.texts(contact) for contact in contacts) for n in notifications)
        return bool(notifications) and heard and any(n.number("threshold", 100) < 100 for n in notifications)


CHECK = BudgetNotifies()
