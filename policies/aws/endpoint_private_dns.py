"""Interface endpoints answer under the service's own name."""

from isocenter_policies.rule import Body, Rule


class EndpointPrivateDns(Rule):
    id = "ISO_AWS_029"
    severity = "medium"
    title = "Interface endpoints answer under the service's own name"
    why = "Without private DNS clients look for the public address."
    fix = "Set private_dns_enabled to true."
    control = 18
    kinds = ("aws_vpc_endpoint",)

    def holds(self, body: Body) -> bool | None:
        return (
            body.get("private_dns_enabled") is True if body.get("vpc_endpoint_type") == "Interface" else None
        )


CHECK = EndpointPrivateDns()
