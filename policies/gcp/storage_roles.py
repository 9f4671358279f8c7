"""Access to data is granted on the bucket, not on the project."""

from isocenter_policies.rule import Body, Rule


class StorageRoles(Rule):
    id = "ISO_GCP_030"
    severity = "high"
    title = "Access to data is granted on the bucket, not on the project"
    why = "A grant on the project opens each bucket that will ever be made."
    fix = "Use google_storage_bucket_iam_member."
    control = 21
    kinds = (
        "google_project_iam_member",
        "google_project_iam_binding",
    )

    def holds(self, body: Body) -> bool | None:
        return not body.text("role").startswith("roles/storage.object")


CHECK = StorageRoles()
