"""Who did what: logs of the subscription and of each resource, in a workspace and in locked storage."""

from dataclasses import dataclass

from cdktn import TerraformIterator, TerraformResourceLifecycle
from cdktn_provider_azurerm.log_analytics_data_export_rule import LogAnalyticsDataExportRule
from cdktn_provider_azurerm.log_analytics_workspace import LogAnalyticsWorkspace
from cdktn_provider_azurerm.storage_container import StorageContainer
from cdktn_provider_azurerm.storage_container_immutability_policy import StorageContainerImmutabilityPolicy
from constructs import Construct

from isocenter_infra.azure import trail
from isocenter_infra.azure.bucket import Bucket, BucketArgs
from isocenter_infra.azure.keys import Keys
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.storage import Storage
from isocenter_infra.azure.trail import Trail
from isocenter_infra.deployment import Deployment

_ASKED_DAYS = 365
# Tables copied into the locked account: what resources in the second region log reaches it by this way only.
_EXPORTED = (
    "AzureActivity",
    "StorageBlobLogs",
    "AZKVAuditLogs",
    "ContainerRegistryLoginEvents",
    "ContainerRegistryRepositoryEvents",
    "SecurityAlert",
)


@dataclass(frozen=True)
class AuditArgs:
    """What the audit needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        keys: that encrypt it, and whose every use is recorded.
        storage: whose reads and writes are recorded.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    keys: Keys
    storage: Storage


class Audit(Construct):
    """The bucket ``audit`` with its lock, the workspace ``logs``, and the ``trail`` that leads to both."""

    def __init__(self, scope: Construct, id_: str, args: AuditArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.bucket = Bucket(
            self,
            "bucket",
            BucketArgs(args.deployment, args.names, args.place, "audit", args.keys.audit, tidied=False),
        )
        self._lock()
        self.workspace = self._workspace()
        self.trail = Trail(self.workspace, self.bucket.account.id)
        self._follow()

    def _lock(self) -> None:
        """Lock each container that logs arrive in; a lock can't be taken back, not even by Microsoft."""
        args = self._args
        arriving = StorageContainer(
            self,
            "arriving",
            for_each=TerraformIterator.from_list(_containers()),
            name="${each.value}",
            storage_account_id=self.bucket.account.id,
            container_access_type="private",
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        StorageContainerImmutabilityPolicy(
            self,
            "lock",
            storage_container_resource_manager_id=self.bucket.container.id,
            immutability_period_in_days=args.deployment.audit_days,
            protected_append_writes_enabled=True,
            locked=True,
        )
        StorageContainerImmutabilityPolicy(
            self,
            "arriving-lock",
            for_each=TerraformIterator.from_list(_containers()),
            storage_container_resource_manager_id=f"${{{arriving.fqn}[each.key].id}}",
            immutability_period_in_days=args.deployment.audit_days,
            # Azure Monitor appends to a blob for an hour.
            protected_append_writes_enabled=True,
            locked=True,
        )

    def _workspace(self) -> LogAnalyticsWorkspace:
        args = self._args
        return LogAnalyticsWorkspace(
            self,
            "workspace",
            name=args.names.of_purpose("logs"),
            sku="PerGB2018",
            retention_in_days=_ASKED_DAYS,
            local_authentication_enabled=False,
            allow_resource_only_permissions=True,
            internet_ingestion_access_type="Disabled",
            internet_query_access_type="Disabled",
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
            **args.place.here,
        )

    def _follow(self) -> None:
        args, follow = self._args, self.trail.follow
        follow(self, "activity", args.names.subscription_id, trail.ACTIVITY)
        follow(self, "keys", args.keys.vault.vault.id, trail.VAULT)
        follow(self, "copy-keys", args.keys.replica_vault.vault.id, trail.VAULT, account=None)
        # Azure lets no account keep its own log.
        follow(self, "audit", self.bucket.blobs, trail.STORAGE, account=args.storage.logs.account.id)
        for bucket in (args.storage.logs, args.storage.data, args.storage.models):
            follow(self, bucket.purpose, bucket.blobs, trail.STORAGE)
        for bucket in args.storage.copies:
            follow(self, bucket.purpose, bucket.blobs, trail.STORAGE, account=None)
        LogAnalyticsDataExportRule(
            self,
            "export",
            name="isocenter",
            workspace_resource_id=self.workspace.id,
            destination_resource_id=self.bucket.account.id,
            table_names=list(_EXPORTED),
            enabled=True,
            **args.place.within,
        )


def _containers() -> list[str]:
    """Names of the containers that Azure Monitor writes into: one a category, and one an exported table."""
    diagnostic = {f"insights-logs-{category.lower()}" for category in trail.ALL}
    exported = {f"am-{table.lower()}" for table in _EXPORTED}
    return sorted({"insights-activity-logs", *diagnostic, *exported})
