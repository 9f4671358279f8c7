"""The budget tells somebody before it is spent."""

from isocenter_policies.rule import Body, Rule


class BudgetNotifies(Rule):
    id = "ISO_GCP_049"
    severity = "low"
    title = "The budget tells somebody before it is spent"
    why = "A forgotten GPU costs as much as a person."
    fix = "Add a threshold below 100 % and a channel in all_updates_rule."
    control = 34
    kinds = ("google_billing_budget",)

    def holds(self, body: Body) -> bool | None:
        early = any(rule.number("threshold_percent", 1) < 1 for rule in body.blocks("threshold_rules"))
        silent = body.get("all_updates_rule.disable_default_iam_recipients", False) is True
        heard = body.texts("all_updates_rule.monitoring_notification_channels") or body.get(
            "all_updates_rule.pubsub_topic"
        )
        return early and (bool(heard) or not silent)


CHECK = BudgetNotifies()
