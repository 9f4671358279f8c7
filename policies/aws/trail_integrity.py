"""The trail signs its files."""

from isocenter_policies.rule import Body, Rule


class TrailIntegrity(Rule):
    id = "ISO_AWS_020"
    severity = "high"
    title = "The trail signs its files"
    why = "Without digests a changed log file looks like a genuine one."
    fix = "Set enable_log_file_validation to true."
    control = 12
    kinds = ("aws_cloudtrail",)

    def holds(self, body: Body) -> bool | None:
        return body.get("enable_log_file_validation") is True


CHECK = TrailIntegrity()
