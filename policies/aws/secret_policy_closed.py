"""A secret's policy can't be made public."""

from isocenter_policies.rule import Body, Rule


class SecretPolicyClosed(Rule):
    id = "ISO_AWS_063"
    severity = "critical"
    title = "A secret's policy can't be made public"
    why = "A policy that allows everybody would hand the secret to each AWS account in the world."
    fix = "Set block_public_policy to true."
    control = 5
    kinds = ("aws_secretsmanager_secret_policy",)

    def holds(self, body: Body) -> bool | None:
        return body.get("block_public_policy") is True


CHECK = SecretPolicyClosed()
