"""The network has no way to the internet."""

from isocenter_policies.rule import Body, Rule


class NoInternet(Rule):
    id = "ISO_AWS_025"
    severity = "high"
    title = "The network has no way to the internet"
    why = "A training job that can reach the internet can send patient data there."
    fix = "Leave the gateway out and reach AWS through VPC endpoints."
    control = 16
    kinds = (
        "aws_internet_gateway",
        "aws_egress_only_internet_gateway",
        "aws_nat_gateway",
        "aws_eip",
        "aws_default_vpc",
        "aws_default_subnet",
    )

    def holds(self, body: Body) -> bool | None:
        return False


CHECK = NoInternet()
