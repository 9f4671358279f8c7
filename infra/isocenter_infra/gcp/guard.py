"""Guards: a budget, copies in a second region, the perimeter, and what nobody may do, whatever their role."""

from dataclasses import dataclass

from cdktn_provider_google.billing_budget import (
    BillingBudget,
    BillingBudgetAllUpdatesRule,
    BillingBudgetAmount,
    BillingBudgetAmountSpecifiedAmount,
    BillingBudgetBudgetFilter,
    BillingBudgetThresholdRules,
)
from cdktn_provider_google.iam_deny_policy import (
    IamDenyPolicy,
    IamDenyPolicyRules,
    IamDenyPolicyRulesDenyRule,
)
from cdktn_provider_google.monitoring_notification_channel import MonitoringNotificationChannel
from cdktn_provider_google.resource_manager_lien import ResourceManagerLien
from constructs import Construct

from isocenter.targets.settings import BudgetSettings, GcpSettings
from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.audit import Audit
from isocenter_infra.gcp.copies import Copies, CopiesArgs
from isocenter_infra.gcp.identity import Identity
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.perimeter import Perimeter, PerimeterArgs
from isocenter_infra.gcp.storage import Storage

_EVERYBODY = "principalSet://goog/public:all"
# What would lose keys or audit logs, open a door without a key, or let it out of sight.
_DENIED = (
    "cloudkms.googleapis.com/cryptoKeyVersions.destroy",
    "cloudkms.googleapis.com/cryptoKeyVersions.update",
    "iam.googleapis.com/serviceAccountKeys.create",
    "iam.googleapis.com/serviceAccountKeys.upload",
    "logging.googleapis.com/buckets.delete",
    "logging.googleapis.com/sinks.delete",
    "storage.googleapis.com/buckets.delete",
)
_READ_SECRET = "secretmanager.googleapis.com/versions.access"  # noqa: S105 - a permission


@dataclass(frozen=True)
class GuardArgs:
    """What the guards need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        storage: buckets that are copied.
        audit: whose notices come from outside of the perimeter.
        identity: who is let through.
        budget: when spending raises an alarm.
    """

    deployment: Deployment
    names: GcpNames
    storage: Storage
    audit: Audit
    identity: Identity
    budget: BudgetSettings


class Guard(Construct):
    """Budget, copies, perimeter, deny policy, and the project's lien."""

    def __init__(self, scope: Construct, id_: str, args: GuardArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self._budget()
        Copies(self, "copies", CopiesArgs(args.names, args.storage, args.identity.access))
        Perimeter(self, "perimeter", PerimeterArgs(args.deployment, args.names, args.audit, args.identity))
        self._deny()
        if args.deployment.protect:
            ResourceManagerLien(
                self,
                "lien",
                parent=f"projects/{args.names.number}",
                restrictions=["resourcemanager.projects.delete"],
                origin=f"isocenter-{args.names.prefix}",
                reason="Holds patient data and audit logs",
            )

    def _budget(self) -> None:
        args, gcp = self._args, self._args.deployment.settings.gcp
        assert isinstance(gcp, GcpSettings)  # noqa: S101 - the settings' validator saw to it
        owner = MonitoringNotificationChannel(
            self,
            "owner",
            display_name=f"{args.names.prefix}: owner",
            type="email",
            labels={"email_address": args.deployment.settings.owner},
            user_labels=args.deployment.labels,
        )
        BillingBudget(
            self,
            "budget",
            billing_account=gcp.billing_account,
            display_name=args.names.prefix,
            budget_filter=BillingBudgetBudgetFilter(
                projects=[f"projects/{args.names.number}"], calendar_period="MONTH"
            ),
            amount=BillingBudgetAmount(
                specified_amount=BillingBudgetAmountSpecifiedAmount(units=str(args.budget.monthly))
            ),
            threshold_rules=[
                BillingBudgetThresholdRules(threshold_percent=percent / 100)
                for percent in args.budget.alert_percent
            ],
            all_updates_rule=BillingBudgetAllUpdatesRule(
                monitoring_notification_channels=[owner.id], disable_default_iam_recipients=False
            ),
        )

    def _deny(self) -> None:
        """Stronger than any role, break-glass included. A forced destroy lifts the first rule."""
        args = self._args
        pipeline = args.identity.accounts["pipeline"].email
        only_pipeline = IamDenyPolicyRulesDenyRule(
            denied_principals=[_EVERYBODY],
            exception_principals=[f"principal://iam.googleapis.com/projects/-/serviceAccounts/{pipeline}"],
            denied_permissions=[_READ_SECRET],
        )
        rules = [IamDenyPolicyRules(description="Secrets are the pipeline's alone", deny_rule=only_pipeline)]
        if args.deployment.protect:
            nobody = IamDenyPolicyRulesDenyRule(
                denied_principals=[_EVERYBODY], denied_permissions=list(_DENIED)
            )
            rules.append(IamDenyPolicyRules(description="Keys and logs stay", deny_rule=nobody))
        IamDenyPolicy(
            self,
            "deny",
            name=f"{args.names.prefix}-guard",
            parent=f"cloudresourcemanager.googleapis.com%2Fprojects%2F{args.names.project}",
            display_name=f"{args.names.prefix}: guard",
            rules=rules,
        )
