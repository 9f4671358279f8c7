"""The action group has a receiver."""

from isocenter_policies.rule import Body, Rule


class ActionGroupReceives(Rule):
    id = "ISO_AZURE_020"
    severity = "high"
    title = "The action group has a receiver"
    why = "An empty group rings where nobody hears it."
    fix = "Add an email_receiver or another one."
    control = 13
    kinds = ("azurerm_monitor_action_group",)

    def holds(self, body: Body) -> bool | None:
        kinds = (
            "email",
            "sms",
            "webhook",
            "voice",
            "arm_role",
            "logic_app",
            "azure_function",
            "event_hub",
            "azure_app_push",
        )
        heard = any(body.blocks(f"{kind}_receiver") for kind in kinds)
        return heard and body.get("enabled", True) is True


CHECK = ActionGroupReceives()
