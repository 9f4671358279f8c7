"""Emergency access is asked for and approved, with reasons."""

from isocenter_policies.rule import Body, Rule


class EmergencyApproval(Rule):
    id = "ISO_GCP_058"
    severity = "high"
    title = "Emergency access is asked for and approved, with reasons"
    why = "The strongest role of all must not be one person's decision."
    fix = "Set approval_workflow.manual_approvals with require_approver_justification and approvers."
    control = 24
    kinds = ("google_privileged_access_manager_entitlement",)

    def holds(self, body: Body) -> bool | None:
        approvals = body.blocks("approval_workflow.manual_approvals")
        return bool(approvals) and all(
            found.get("require_approver_justification") is True and found.blocks("steps")
            for found in approvals
        )


CHECK = EmergencyApproval()
