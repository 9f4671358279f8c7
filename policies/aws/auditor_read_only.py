"""The auditor role can only read."""

from isocenter_policies.rule import Body, Rule

_READ_ONLY = (
    "SecurityAudit",
    "ViewOnlyAccess",
    "ReadOnlyAccess",
    "AWSCloudTrail_ReadOnlyAccess",
    "AWSConfigUserAccess",
)


class AuditorReadOnly(Rule):
    id = "ISO_AWS_038"
    severity = "high"
    title = "The auditor role can only read"
    why = "An auditor who can change things can change what is audited."
    fix = "Attach SecurityAudit, ViewOnlyAccess or ReadOnlyAccess, or policies of List, Get and Describe."
    control = 23
    kinds = ("aws_iam_role_policy_attachment",)

    def holds(self, body: Body) -> bool | None:
        if "auditor" not in body.text("role"):
            return None
        arn = body.text("policy_arn")
        return not arn.startswith("arn:") or arn.rpartition("/")[2] in _READ_ONLY


CHECK = AuditorReadOnly()
