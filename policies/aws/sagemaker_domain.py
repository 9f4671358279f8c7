"""Studio is inside the VPC, encrypted with our key, and keeps outputs to itself."""

from isocenter_policies.rule import Body, Rule


class SagemakerDomain(Rule):
    id = "ISO_AWS_044"
    severity = "high"
    title = "Studio is inside the VPC, encrypted with our key, and keeps outputs to itself"
    why = "A notebook with the internet at hand is a way out for patient data."
    fix = (
        "Set app_network_access_type to VpcOnly, kms_key_id, and "
        "sharing_settings.notebook_output_option to Disabled."
    )
    control = 29
    kinds = ("aws_sagemaker_domain",)

    def holds(self, body: Body) -> bool | None:
        sharing = body.get("default_user_settings.sharing_settings.notebook_output_option", "Disabled")
        inside = body.get("app_network_access_type") == "VpcOnly"
        return inside and bool(body.get("kms_key_id")) and sharing == "Disabled"


CHECK = SagemakerDomain()
