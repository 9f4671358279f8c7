"""A federated provider admits one repository and names its refs."""

from isocenter_policies.rule import Body, Rule


class OidcCondition(Rule):
    id = "ISO_GCP_033"
    severity = "critical"
    title = "A federated provider admits one repository and names its refs"
    why = "Without a condition, each repository on GitHub can ask for a token."
    fix = "Set attribute_condition to an equality on assertion.repository and the subject or ref."
    control = 22
    kinds = ("google_iam_workload_identity_pool_provider",)

    def holds(self, body: Body) -> bool | None:
        condition = body.text("attribute_condition")
        exact = (
            "==" in condition
            and "*" not in condition
            and "matches(" not in condition
            and "startsWith(" not in condition
        )
        return exact and "repository" in condition if body.blocks("oidc") else None


CHECK = OidcCondition()
