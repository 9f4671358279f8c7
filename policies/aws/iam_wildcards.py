"""An IAM policy allows no whole service on every resource."""

from isocenter_policies.iam import statements
from isocenter_policies.rule import Body, Rule


class IamWildcards(Rule):
    id = "ISO_AWS_033"
    severity = "high"
    title = "An IAM policy allows no whole service on every resource"
    why = "A job that may do everything can read every patient's data and delete the logs of it."
    fix = "Name the actions, or the resources, or both."
    control = 21
    kinds = (
        "aws_iam_policy",
        "aws_iam_role_policy",
    )

    def holds(self, body: Body) -> bool | None:
        return not any(
            found.allows
            and found.any_resource
            and any(action == "*" or action.endswith(":*") for action in found.actions)
            for found in statements(body, "policy")
        )


CHECK = IamWildcards()
