"""iam:PassRole names the roles."""

from isocenter_policies.iam import statements
from isocenter_policies.rule import Body, Rule


class IamPassRole(Rule):
    id = "ISO_AWS_034"
    severity = "high"
    title = "iam:PassRole names the roles"
    why = "Whoever may pass every role can start a job with the strongest one."
    fix = "Name the roles in the statement's resources."
    control = 21
    kinds = (
        "aws_iam_policy",
        "aws_iam_role_policy",
    )

    def holds(self, body: Body) -> bool | None:
        return not any(
            found.allows
            and found.any_resource
            and any(a in ("iam:passrole", "iam:pass*", "iam:*") for a in found.actions)
            for found in statements(body, "policy")
        )


CHECK = IamPassRole()
