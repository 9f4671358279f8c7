"""Images are scanned for vulnerabilities all the time."""

from isocenter_policies.rule import Body, Rule


class EcrScanning(Rule):
    id = "ISO_AWS_041"
    severity = "medium"
    title = "Images are scanned for vulnerabilities all the time"
    why = "A hole that is published tomorrow is in the image of today."
    fix = "Set scan_type to ENHANCED and scan_frequency to CONTINUOUS_SCAN."
    control = 26
    kinds = ("aws_ecr_registry_scanning_configuration",)

    def holds(self, body: Body) -> bool | None:
        frequencies = body.texts("rule.scan_frequency")
        return body.get("scan_type") == "ENHANCED" and "CONTINUOUS_SCAN" in frequencies


CHECK = EcrScanning()
