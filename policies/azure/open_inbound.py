"""No security rule lets traffic in from everywhere."""

from isocenter_policies.rule import Body, Rule

_EVERYWHERE = ("*", "0.0.0.0/0", "::/0", "Internet")


def _everywhere(rule: Body) -> bool:
    named = [*rule.texts("source_address_prefix"), *rule.texts("source_address_prefixes")]
    return any(text in _EVERYWHERE for text in named)


class OpenInbound(Rule):
    id = "ISO_AZURE_030"
    severity = "critical"
    title = "No security rule lets traffic in from everywhere"
    why = "What everybody can reach, everybody can attack."
    fix = "Name a service tag or the network's own range."
    control = 20
    kinds = (
        "azurerm_network_security_rule",
        "azurerm_network_security_group",
    )

    def holds(self, body: Body) -> bool | None:
        rules = body.blocks("security_rule") if body.get("direction") is None else [body]
        return not any(
            rule.get("access") == "Allow" and rule.get("direction") == "Inbound" and _everywhere(rule)
            for rule in rules
        )


CHECK = OpenInbound()
