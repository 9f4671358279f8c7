"""The lien keeps the project from deletion."""

from isocenter_policies.rule import Body, Rule


class ProjectLien(Rule):
    id = "ISO_GCP_050"
    severity = "medium"
    title = "The lien keeps the project from deletion"
    why = "With the project everything goes at once."
    fix = "List resourcemanager.projects.delete in restrictions."
    control = 35
    kinds = ("google_resource_manager_lien",)

    def holds(self, body: Body) -> bool | None:
        return "resourcemanager.projects.delete" in body.texts("restrictions")


CHECK = ProjectLien()
