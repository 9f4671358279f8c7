"""Images are scanned for vulnerabilities."""

from isocenter_policies.rule import Body, Rule


class RegistryScanning(Rule):
    id = "ISO_GCP_037"
    severity = "medium"
    title = "Images are scanned for vulnerabilities"
    why = "A hole that is published tomorrow is in the image of today."
    fix = "Set vulnerability_scanning_config.enablement_config to INHERITED."
    control = 26
    kinds = ("google_artifact_registry_repository",)

    def holds(self, body: Body) -> bool | None:
        if body.get("format") != "DOCKER":
            return None
        return body.get("vulnerability_scanning_config.enablement_config") == "INHERITED"


CHECK = RegistryScanning()
