"""Image tags can't be moved, and images are encrypted with our key."""

from isocenter_policies.rule import Body, Rule


class EcrImmutable(Rule):
    id = "ISO_AWS_040"
    severity = "high"
    title = "Image tags can't be moved, and images are encrypted with our key"
    why = "A tag that moves makes yesterday's approved image another one."
    fix = "Set image_tag_mutability to IMMUTABLE and encryption_configuration to KMS with the registry's key."
    control = 25
    kinds = ("aws_ecr_repository",)

    def holds(self, body: Body) -> bool | None:
        key = body.get("encryption_configuration.encryption_type") == "KMS" and body.get(
            "encryption_configuration.kms_key"
        )
        return body.get("image_tag_mutability") == "IMMUTABLE" and bool(key)


CHECK = EcrImmutable()
