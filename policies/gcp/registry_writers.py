"""Only CI writes images, and pipelines write models."""

from isocenter_policies.rule import Body, Rule


class RegistryWriters(Rule):
    id = "ISO_GCP_068"
    severity = "high"
    title = "Only CI writes images, and pipelines write models"
    why = "A workload that can push an image decides what runs next on patient data."
    fix = "Grant roles/artifactregistry.reader."
    control = 25
    kinds = (
        "google_artifact_registry_repository_iam_member",
        "google_artifact_registry_repository_iam_binding",
        "google_project_iam_member",
        "google_project_iam_binding",
    )

    # Accounts are known by the names that identity gives them, as in auditor_read_only.
    def holds(self, body: Body) -> bool | None:
        role = body.text("role")
        if not role.startswith("roles/artifactregistry."):
            return None
        if role.endswith(".reader"):
            return True
        of_models = "registry_models" in body.text("repository")
        members = [*body.texts("member"), *body.texts("members")]
        return all("ci-deploy" in member or (of_models and "pipeline" in member) for member in members)


CHECK = RegistryWriters()
