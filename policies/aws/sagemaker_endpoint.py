"""An endpoint encrypts its volumes with our key."""

from isocenter_policies.rule import Body, Rule


class SagemakerEndpoint(Rule):
    id = "ISO_AWS_046"
    severity = "high"
    title = "An endpoint encrypts its volumes with our key"
    why = "What lies on a serving instance's disk is patient data."
    fix = "Set kms_key_arn."
    control = 29
    kinds = ("aws_sagemaker_endpoint_configuration",)

    def holds(self, body: Body) -> bool | None:
        return bool(body.get("kms_key_arn"))


CHECK = SagemakerEndpoint()
