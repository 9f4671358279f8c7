"""The budget tells somebody before it is spent."""

from isocenter_policies.rule import Body, Rule


class BudgetNotifies(Rule):
    id = "ISO_AWS_055"
    severity = "low"
    title = "The budget tells somebody before it is spent"
    why = "A forgotten GPU costs as much as a person."
    fix = "Add a notification below 100 % with a subscriber."
    control = 34
    kinds = ("aws_budgets_budget",)

    def holds(self, body: Body) -> bool | None:
        notifications = body.blocks("notification")
        heard = all(
            n.texts("subscriber_email_addresses") or n.texts("subscriber_sns_topic_arns")
            for n in notifications
        )
        return bool(notifications) and heard and any(n.number("threshold", 100) < 100 for n in notifications)


CHECK = BudgetNotifies()
