"""Image tags can't be moved, and images are encrypted with our key."""

from isocenter_policies.rule import Body, Rule


class RegistryImmutable(Rule):
    id = "ISO_GCP_036"
    severity = "high"
    title = "Image tags can't be moved, and images are encrypted with our key"
    why = "A tag that moves makes yesterday's approved image another one."
    fix = "Set docker_config.immutable_tags to true and kms_key_name."
    control = 25
    kinds = ("google_artifact_registry_repository",)

    def holds(self, body: Body) -> bool | None:
        if body.get("mode", "STANDARD_REPOSITORY") != "STANDARD_REPOSITORY":
            return None
        immutable = body.get("docker_config.immutable_tags") is True or body.get("format") != "DOCKER"
        return immutable and bool(body.get("kms_key_name"))


CHECK = RegistryImmutable()
