"""A custom role holds no permission that changes who may do what."""

from isocenter_policies.rule import Body, Rule


class CustomRoleWildcards(Rule):
    id = "ISO_GCP_031"
    severity = "high"
    title = "A custom role holds no permission that changes who may do what"
    why = "Whoever can change a policy can give himself everything."
    fix = "Leave setIamPolicy and actAs out of custom roles."
    control = 21
    kinds = (
        "google_project_iam_custom_role",
        "google_organization_iam_custom_role",
    )

    def holds(self, body: Body) -> bool | None:
        strong = (
            ".setIamPolicy",
            "iam.serviceAccounts.actAs",
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccountKeys.create",
        )
        return not any(permission.endswith(strong) for permission in body.texts("permissions"))


CHECK = CustomRoleWildcards()
