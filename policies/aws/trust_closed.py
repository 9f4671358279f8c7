"""A role names who may take it."""

from isocenter_policies.iam import statements
from isocenter_policies.rule import Body, Rule


class TrustClosed(Rule):
    id = "ISO_AWS_035"
    severity = "critical"
    title = "A role names who may take it"
    why = "A role that everybody may take is open to each AWS account in the world."
    fix = "Name the service, the account or the identity provider in the trust policy."
    control = 21
    kinds = ("aws_iam_role",)

    def holds(self, body: Body) -> bool | None:
        found = statements(body, "assume_role_policy")
        return bool(found) and not any(s.allows and s.anyone for s in found)


CHECK = TrustClosed()
