"""Auditors can only read."""

from isocenter_policies.rule import Body, Rule


class AuditorReadOnly(Rule):
    id = "ISO_GCP_035"
    severity = "high"
    title = "Auditors can only read"
    why = "An auditor who can change things can change what is audited."
    fix = "Grant viewer and reviewer roles."
    control = 23
    kinds = ("google_project_iam_member",)

    def holds(self, body: Body) -> bool | None:
        if "auditor" not in body.text("member"):
            return None
        role = body.text("role").lower()
        return role.endswith(("viewer", "reviewer", "viewaccessor", "reader"))


CHECK = AuditorReadOnly()
