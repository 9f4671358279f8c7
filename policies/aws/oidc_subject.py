"""A federated role is tied to exact subjects and an audience."""

from isocenter_policies.iam import Statement, statements
from isocenter_policies.rule import Body, Rule


def _exact(statement: Statement, key: str) -> bool:
    named = [(o, values) for o, name, values in statement.conditions if name.endswith(key)]
    return bool(named) and all(
        operator == "stringequals" and not any("*" in value or "?" in value for value in values)
        for operator, values in named
    )


class OidcSubject(Rule):
    id = "ISO_AWS_036"
    severity = "critical"
    title = "A federated role is tied to exact subjects and an audience"
    why = "With a wildcard in the subject, a workflow of another branch, repository or owner gets the role."
    fix = "Compare the provider's sub and aud with StringEquals and without * or ?."
    control = 22
    kinds = ("aws_iam_role",)

    def holds(self, body: Body) -> bool | None:
        federated = [
            found
            for found in statements(body, "assume_role_policy")
            if found.allows and "sts:assumerolewithwebidentity" in found.actions
        ]
        return (
            all(_exact(found, ":sub") and _exact(found, ":aud") for found in federated) if federated else None
        )


CHECK = OidcSubject()
