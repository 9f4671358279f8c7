"""The network asks private name servers only."""

from isocenter_policies.addresses import is_inside
from isocenter_policies.rule import Body, Rule


class NameServers(Rule):
    id = "ISO_AWS_069"
    severity = "medium"
    title = "The network asks private name servers only"
    why = (
        "A public one learns each name, carries data out inside of names and doesn't know the private "
        "endpoints."
    )
    fix = "Leave aws_vpc_dhcp_options out, or list AmazonProvidedDNS or private addresses."
    control = 18
    kinds = ("aws_vpc_dhcp_options",)

    def holds(self, body: Body) -> bool | None:
        return all(is_inside(server) for server in body.texts("domain_name_servers"))


CHECK = NameServers()
