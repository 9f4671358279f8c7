"""Service accounts: workloads, GitHub's workflows without stored keys, the auditor; and break-glass."""

from collections.abc import Mapping
from dataclasses import dataclass

from cdktn_provider_google.privileged_access_manager_entitlement import (
    PrivilegedAccessManagerEntitlement,
    PrivilegedAccessManagerEntitlementAdditionalNotificationTargets,
    PrivilegedAccessManagerEntitlementApprovalWorkflow,
    PrivilegedAccessManagerEntitlementApprovalWorkflowManualApprovals,
    PrivilegedAccessManagerEntitlementApprovalWorkflowManualApprovalsSteps,
    PrivilegedAccessManagerEntitlementApprovalWorkflowManualApprovalsStepsApprovers,
    PrivilegedAccessManagerEntitlementEligibleUsers,
    PrivilegedAccessManagerEntitlementPrivilegedAccess,
    PrivilegedAccessManagerEntitlementPrivilegedAccessGcpIamAccess,
    PrivilegedAccessManagerEntitlementPrivilegedAccessGcpIamAccessRoleBindings,
    PrivilegedAccessManagerEntitlementRequesterJustificationConfig,
    PrivilegedAccessManagerEntitlementRequesterJustificationConfigUnstructured,
)
from cdktn_provider_google.project_iam_custom_role import ProjectIamCustomRole
from cdktn_provider_google.project_iam_member import ProjectIamMember
from cdktn_provider_google.service_account import ServiceAccount
from cdktn_provider_google.service_account_iam_member import ServiceAccountIamMember
from constructs import Construct

from isocenter.targets.settings import GithubSettings
from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp import permissions
from isocenter_infra.gcp.access import Access, AccessArgs
from isocenter_infra.gcp.audit import Audit
from isocenter_infra.gcp.federation import Federation, FederationArgs
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.storage import Storage

ACCOUNTS = {
    "training": "Training jobs",
    "serving": "Endpoints",
    "pipeline": "Isocenter's platform layer: starts jobs, changes endpoints",
    "ci-plan": "GitHub pull requests: reads configuration",
    "ci-deploy": "GitHub environment: applies reviewed plans",
    "auditor": "Reads configuration and audit logs",
}
_HOUR = "3600s"
_IMPERSONATE = "roles/iam.serviceAccountTokenCreator"


@dataclass(frozen=True)
class IdentityArgs:
    """What the identities need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        storage: buckets that they may use.
        audit: bucket that the auditor reads.
        github: repository and environment whose workflows may plan and deploy.
    """

    deployment: Deployment
    names: GcpNames
    storage: Storage
    audit: Audit
    github: GithubSettings


class Identity(Construct):
    """A service account each of ``ACCOUNTS``, what it may do, and the entitlement ``break-glass``."""

    def __init__(self, scope: Construct, id_: str, args: IdentityArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.accounts = {role: self._account(role, purpose) for role, purpose in ACCOUNTS.items()}
        for role in permissions.PROJECT_ROLES:
            self._grant_predefined(role)
        for role in permissions.OWN_ROLES:
            self._grant_own(role)
        self._people()
        self.break_glass = self._break_glass()
        Federation(self, "github", FederationArgs(args.names, args.github, self.accounts))
        self.access = Access(self, "access", AccessArgs(args.names, args.storage, args.audit, self.accounts))

    @property
    def by_role(self) -> Mapping[str, str]:
        """Address by role; break-glass is no account but an entitlement."""
        emails = {role: account.email for role, account in self.accounts.items()}
        return emails | {"break-glass": self.break_glass.name}

    def _account(self, role: str, purpose: str) -> ServiceAccount:
        return ServiceAccount(
            self, role, account_id=f"{self._args.names.prefix}-{role}", display_name=purpose
        )

    def _grant_predefined(self, role: str) -> None:
        for granted in permissions.PROJECT_ROLES[role]:
            suffix = granted.partition("/")[2].replace(".", "-").lower()
            self._grant(role, f"{role}-{suffix}", granted)

    def _grant_own(self, role: str) -> None:
        names = self._args.names
        own = ProjectIamCustomRole(
            self,
            f"{role}-role",
            project=names.project,
            role_id=f"{names.underscored}_{role.replace('-', '_')}",
            title=f"{names.prefix} {role}",
            permissions=list(permissions.OWN_ROLES[role]),
            stage="GA",
        )
        self._grant(role, f"{role}-own", own.name)

    def _grant(self, role: str, id_: str, granted: str) -> None:
        project = self._args.names.project
        ProjectIamMember(self, id_, project=project, role=granted, member=self.accounts[role].member)

    def _people(self) -> None:
        """Who may act as which account; and that the pipeline hands jobs two accounts and no other."""
        names, accounts = self._args.names, self.accounts
        people = {"pipeline": names.operators, "auditor": names.auditors}
        for role, member in people.items():
            self._let(f"{role}-people", accounts[role], _IMPERSONATE, member)
        for role in ("training", "serving"):
            self._let(
                f"pipeline-uses-{role}",
                accounts[role],
                "roles/iam.serviceAccountUser",
                accounts["pipeline"].member,
            )

    def _let(self, id_: str, account: ServiceAccount, role: str, member: str) -> None:
        ServiceAccountIamMember(self, id_, service_account_id=account.name, role=role, member=member)

    def _break_glass(self) -> PrivilegedAccessManagerEntitlement:
        """No standing access: asked for with a reason, agreed to by another, gone after an hour, alarmed."""
        names = self._args.names
        contact = self._args.deployment.settings.security_contact
        return PrivilegedAccessManagerEntitlement(
            self,
            "break-glass",
            entitlement_id=f"{names.prefix}-break-glass",
            location="global",
            parent=names.project_path,
            max_request_duration=_HOUR,
            eligible_users=[PrivilegedAccessManagerEntitlementEligibleUsers(principals=[names.operators])],
            requester_justification_config=PrivilegedAccessManagerEntitlementRequesterJustificationConfig(
                unstructured=PrivilegedAccessManagerEntitlementRequesterJustificationConfigUnstructured()
            ),
            approval_workflow=_approved_by(names.approvers, contact),
            privileged_access=_roles(names),
            additional_notification_targets=PrivilegedAccessManagerEntitlementAdditionalNotificationTargets(
                admin_email_recipients=[contact]
            ),
        )


def _approved_by(approvers: str, contact: str) -> PrivilegedAccessManagerEntitlementApprovalWorkflow:
    step = PrivilegedAccessManagerEntitlementApprovalWorkflowManualApprovalsSteps(
        approvers=PrivilegedAccessManagerEntitlementApprovalWorkflowManualApprovalsStepsApprovers(
            principals=[approvers]
        ),
        approvals_needed=1,
        approver_email_recipients=[contact],
    )
    return PrivilegedAccessManagerEntitlementApprovalWorkflow(
        manual_approvals=PrivilegedAccessManagerEntitlementApprovalWorkflowManualApprovals(
            require_approver_justification=True, steps=[step]
        )
    )


def _roles(names: GcpNames) -> PrivilegedAccessManagerEntitlementPrivilegedAccess:
    bindings = [
        PrivilegedAccessManagerEntitlementPrivilegedAccessGcpIamAccessRoleBindings(role=role)
        for role in permissions.BREAK_GLASS
    ]
    return PrivilegedAccessManagerEntitlementPrivilegedAccess(
        gcp_iam_access=PrivilegedAccessManagerEntitlementPrivilegedAccessGcpIamAccess(
            resource=f"//cloudresourcemanager.googleapis.com/{names.project_path}",
            resource_type="cloudresourcemanager.googleapis.com/Project",
            role_bindings=bindings,
        )
    )
