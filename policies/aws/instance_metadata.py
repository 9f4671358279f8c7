"""Instances hand out credentials only to version 2 of the metadata service."""

from isocenter_policies.rule import Body, Rule


class InstanceMetadata(Rule):
    id = "ISO_AWS_050"
    severity = "high"
    title = "Instances hand out credentials only to version 2 of the metadata service"
    why = "With version 1, a forged request inside a container gets the machine's role."
    fix = "Set metadata_options.http_tokens to required and http_put_response_hop_limit to 1."
    control = 21
    kinds = (
        "aws_launch_template",
        "aws_instance",
    )

    def holds(self, body: Body) -> bool | None:
        options = "metadata_options"
        if body.get(f"{options}.http_endpoint") == "disabled":
            return True
        hops = body.number(f"{options}.http_put_response_hop_limit", 1)
        return body.get(f"{options}.http_tokens") == "required" and hops <= 1


CHECK = InstanceMetadata()
