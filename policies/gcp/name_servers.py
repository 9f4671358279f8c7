"""The network asks private name servers only."""

from isocenter_policies.addresses import is_inside
from isocenter_policies.rule import Body, Rule


class NameServers(Rule):
    id = "ISO_GCP_070"
    severity = "medium"
    title = "The network asks private name servers only"
    why = (
        "A public one learns each name, carries data out inside of names and doesn't know the private zones."
    )
    fix = "Leave alternative_name_server_config out, or list private addresses."
    control = 18
    kinds = (
        "google_dns_policy",
        "google_dns_managed_zone",
    )

    def holds(self, body: Body) -> bool | None:
        blocks = ("alternative_name_server_config", "forwarding_config")
        servers = [a for block in blocks for a in body.texts(f"{block}.target_name_servers.ipv4_address")]
        return all(is_inside(server) for server in servers)


CHECK = NameServers()
