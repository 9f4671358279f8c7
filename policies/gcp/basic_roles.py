"""Owner, editor and administrators of IAM are only for an emergency, under a condition."""

from isocenter_policies.rule import Body, Rule

_STRONG = (
    "roles/owner",
    "roles/editor",
    "roles/resourcemanager.projectIamAdmin",
    "roles/iam.securityAdmin",
    "roles/iam.serviceAccountTokenCreator",
    "roles/iam.serviceAccountUser",
    "roles/iam.serviceAccountAdmin",
    "roles/iam.workloadIdentityPoolAdmin",
)


class BasicRoles(Rule):
    id = "ISO_GCP_029"
    severity = "high"
    title = "Owner, editor and administrators of IAM are only for an emergency, under a condition"
    why = "Basic roles hold thousands of permissions that nobody meant to give."
    fix = "Grant the roles that are needed, or add a condition that ends."
    control = 21
    kinds = (
        "google_project_iam_member",
        "google_project_iam_binding",
        "google_folder_iam_member",
        "google_organization_iam_member",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("role") not in _STRONG or bool(body.blocks("condition"))


CHECK = BasicRoles()
