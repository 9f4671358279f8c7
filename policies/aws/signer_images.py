"""The signing profile is for container images."""

from isocenter_policies.rule import Body, Rule


class SignerImages(Rule):
    id = "ISO_AWS_042"
    severity = "medium"
    title = "The signing profile is for container images"
    why = "Signatures of another kind can't be checked where images are admitted."
    fix = "Set platform_id to Notation-OCI-SHA384-ECDSA."
    control = 27
    kinds = ("aws_signer_signing_profile",)

    def holds(self, body: Body) -> bool | None:
        return body.get("platform_id") == "Notation-OCI-SHA384-ECDSA"


CHECK = SignerImages()
