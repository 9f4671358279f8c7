"""A private endpoint registers its name."""

from isocenter_policies.rule import Body, Rule


class EndpointDns(Rule):
    id = "ISO_AZURE_028"
    severity = "medium"
    title = "A private endpoint registers its name"
    why = "Without its DNS zone clients look for the public address."
    fix = "Add a private_dns_zone_group."
    control = 18
    kinds = ("azurerm_private_endpoint",)

    def holds(self, body: Body) -> bool | None:
        approved = body.get("private_service_connection.is_manual_connection", False) is False
        return approved and bool(body.texts("private_dns_zone_group.private_dns_zone_ids"))


CHECK = EndpointDns()
