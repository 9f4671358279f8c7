"""A model is served inside the VPC and without a network of its own."""

from isocenter_policies.rule import Body, Rule


class SagemakerModel(Rule):
    id = "ISO_AWS_045"
    severity = "high"
    title = "A model is served inside the VPC and without a network of its own"
    why = "A serving container that can reach out can send away what it is asked to read."
    fix = "Set enable_network_isolation to true and vpc_config."
    control = 29
    kinds = ("aws_sagemaker_model",)

    def holds(self, body: Body) -> bool | None:
        return body.get("enable_network_isolation") is True and bool(body.blocks("vpc_config"))


CHECK = SagemakerModel()
