"""The emergency role wants a second factor and lasts an hour."""

from isocenter_policies.iam import statements
from isocenter_policies.rule import Body, Rule


class BreakGlassMfa(Rule):
    id = "ISO_AWS_039"
    severity = "high"
    title = "The emergency role wants a second factor and lasts an hour"
    why = "The strongest role of all must not be one stolen password away."
    fix = (
        "Add the condition aws:MultiFactorAuthPresent true to its trust policy and keep "
        "max_session_duration at 3600."
    )
    control = 24
    kinds = ("aws_iam_role",)

    def holds(self, body: Body) -> bool | None:
        if "break-glass" not in body.text("name"):
            return None
        allowed = [found for found in statements(body, "assume_role_policy") if found.allows]
        second_factor = all(found.condition("aws:multifactorauthpresent") == ("true",) for found in allowed)
        return bool(allowed) and second_factor and body.number("max_session_duration", 3600) <= 3600


CHECK = BreakGlassMfa()
