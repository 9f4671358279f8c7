"""Name queries are logged, and none come from outside."""

from isocenter_policies.rule import Body, Rule


class DnsLogging(Rule):
    id = "ISO_GCP_057"
    severity = "medium"
    title = "Name queries are logged, and none come from outside"
    why = "A name looked up is often the first trace of data on its way out."
    fix = "Set enable_logging to true and leave enable_inbound_forwarding off."
    control = 17
    kinds = ("google_dns_policy",)

    def holds(self, body: Body) -> bool | None:
        return body.get("enable_logging") is True and body.get("enable_inbound_forwarding", False) is False


CHECK = DnsLogging()
