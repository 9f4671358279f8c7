"""Guards: a budget, backups that nobody can delete, and no public bucket in the whole account."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_aws.backup_plan import BackupPlan, BackupPlanRule, BackupPlanRuleLifecycle
from cdktn_provider_aws.backup_selection import BackupSelection
from cdktn_provider_aws.backup_vault import BackupVault
from cdktn_provider_aws.backup_vault_lock_configuration import BackupVaultLockConfiguration
from cdktn_provider_aws.budgets_budget import (
    BudgetsBudget,
    BudgetsBudgetCostFilter,
    BudgetsBudgetNotification,
)
from cdktn_provider_aws.iam_role import IamRole
from cdktn_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from cdktn_provider_aws.s3_account_public_access_block import S3AccountPublicAccessBlock
from constructs import Construct

from isocenter.targets.settings import BudgetSettings
from isocenter_infra.aws.exclusive import only_policies
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import trusting
from isocenter_infra.deployment import Deployment

_KEPT_DAYS = 35
_REGRET_DAYS = 3
_SERVICE_POLICIES = "arn:aws:iam::aws:policy"


@dataclass(frozen=True)
class GuardArgs:
    """What the guards need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        keys: that encrypt backups.
        budget: when spending raises an alarm.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys
    budget: BudgetSettings


class Guard(Construct):
    """Budget, backup vault with its lock, and the account's public access block."""

    def __init__(self, scope: Construct, id_: str, args: GuardArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self._budget()
        self._backups()
        S3AccountPublicAccessBlock(
            self,
            "account",
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )

    def _budget(self) -> None:
        contact = self._args.deployment.settings.owner
        BudgetsBudget(
            self,
            "budget",
            name=self._args.names.prefix,
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=str(self._args.budget.monthly),
            limit_unit="USD",
            cost_filter=[
                BudgetsBudgetCostFilter(
                    name="TagKeyValue", values=[f"user:deployment${self._args.deployment.name}"]
                )
            ],
            notification=[
                BudgetsBudgetNotification(
                    comparison_operator="GREATER_THAN",
                    threshold=percent,
                    threshold_type="PERCENTAGE",
                    notification_type="ACTUAL",
                    subscriber_email_addresses=[contact],
                )
                for percent in self._args.budget.alert_percent
            ],
        )

    def _backups(self) -> None:
        args = self._args
        vault = BackupVault(
            self,
            "vault",
            name=args.names.prefix,
            kms_key_arn=args.keys.data.arn,
            force_destroy=not args.deployment.protect,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        # After the days of regret nobody can lift the lock, not even the account's root.
        BackupVaultLockConfiguration(
            self,
            "vault-lock",
            backup_vault_name=vault.name,
            min_retention_days=_KEPT_DAYS,
            changeable_for_days=_REGRET_DAYS,
        )
        rule = BackupPlanRule(
            rule_name="daily",
            target_vault_name=vault.name,
            schedule="cron(0 3 * * ? *)",
            lifecycle=BackupPlanRuleLifecycle(delete_after=_KEPT_DAYS),
        )
        plan = BackupPlan(self, "plan", name=args.names.prefix, rule=[rule])
        role = IamRole(
            self,
            "backup-role",
            name=f"{args.names.prefix}-backup",
            assume_role_policy=trusting("backup", args.names.account),
        )
        attached = [
            IamRolePolicyAttachment(
                self, name.lower(), role=role.name, policy_arn=f"{_SERVICE_POLICIES}/{name}"
            )
            for name in ("AWSBackupServiceRolePolicyForS3Backup", "AWSBackupServiceRolePolicyForS3Restore")
        ]
        only_policies(self, role, attached=attached)
        BackupSelection(
            self,
            "buckets",
            name="buckets",
            plan_id=plan.id,
            iam_role_arn=role.arn,
            resources=[args.names.bucket_arn("data"), args.names.bucket_arn("models")],
        )
