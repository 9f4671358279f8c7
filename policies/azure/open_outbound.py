"""No security rule lets traffic out to the internet."""

from isocenter_policies.rule import Body, Rule

_EVERYWHERE = ("*", "0.0.0.0/0", "::/0", "Internet", "AzureCloud")


def _everywhere(rule: Body) -> bool:
    named = [*rule.texts("destination_address_prefix"), *rule.texts("destination_address_prefixes")]
    return any(text in _EVERYWHERE for text in named)


class OpenOutbound(Rule):
    id = "ISO_AZURE_029"
    severity = "high"
    title = "No security rule lets traffic out to the internet"
    why = "Egress to everywhere is how data leaves."
    fix = "Name a service tag or the network's own range."
    control = 20
    kinds = (
        "azurerm_network_security_rule",
        "azurerm_network_security_group",
    )

    def holds(self, body: Body) -> bool | None:
        rules = body.blocks("security_rule") if body.get("direction") is None else [body]
        return not any(
            rule.get("access") == "Allow" and rule.get("direction") == "Outbound" and _everywhere(rule)
            for rule in rules
        )


CHECK = OpenOutbound()
