"""There are no IAM users and no stored keys."""

from isocenter_policies.rule import Body, Rule


class NoUsers(Rule):
    id = "ISO_AWS_037"
    severity = "high"
    title = "There are no IAM users and no stored keys"
    why = "A stored key leaks sooner or later and works until somebody notices."
    fix = "Use roles: OIDC for CI, IAM Identity Center for people."
    control = 22
    kinds = (
        "aws_iam_user",
        "aws_iam_access_key",
        "aws_iam_user_login_profile",
        "aws_key_pair",
    )

    def holds(self, body: Body) -> bool | None:
        return False


CHECK = NoUsers()
