"""Which logs of a resource are kept: in the workspace to be asked, in the locked account for good."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn_provider_azurerm.log_analytics_workspace import LogAnalyticsWorkspace
from cdktn_provider_azurerm.monitor_diagnostic_setting import (
    MonitorDiagnosticSetting,
    MonitorDiagnosticSettingEnabledLog,
)
from constructs import Construct

# https://learn.microsoft.com/azure/azure-monitor/reference/logs-index
STORAGE = ("StorageRead", "StorageWrite", "StorageDelete")
VAULT = ("AuditEvent", "AzurePolicyEvaluationDetails")
ACTIVITY = (
    "Administrative",
    "Security",
    "ServiceHealth",
    "Alert",
    "Recommendation",
    "Policy",
    "Autoscale",
    "ResourceHealth",
)
NETWORK_GROUP = ("NetworkSecurityGroupEvent", "NetworkSecurityGroupRuleCounter")
REGISTRY = ("ContainerRegistryLoginEvents", "ContainerRegistryRepositoryEvents")
WORKSPACE = (
    "AmlComputeClusterEvent",
    "AmlComputeJobEvent",
    "AmlRunStatusChangedEvent",
    "ComputeInstanceEvent",
    "DataSetChangeEvent",
    "DataSetReadEvent",
    "DataStoreChangeEvent",
    "DataStoreReadEvent",
    "DeploymentReadEvent",
    "EnvironmentChangeEvent",
    "ModelsActionEvent",
    "ModelsChangeEvent",
    "ModelsReadEvent",
    "RunEvent",
)
KUBERNETES = ("kube-apiserver", "kube-audit-admin", "guard", "cluster-autoscaler")
ALL = (*STORAGE, *VAULT, *ACTIVITY, *NETWORK_GROUP, *REGISTRY, *WORKSPACE, *KUBERNETES)


@dataclass(frozen=True)
class Trail:
    """Where logs go.

    Args:
        workspace: takes each.
        account: id of the account that takes each from its own region, and keeps it locked.
    """

    workspace: LogAnalyticsWorkspace
    account: str

    def follow(
        self,
        scope: Construct,
        id_: str,
        target: str,
        categories: Sequence[str],
        *,
        account: str | None = "",
    ) -> None:
        """Keep the logs of ``categories`` of the resource with the id ``target``.

        Args:
            scope: holds the setting.
            id_: ends its name.
            target: id of the resource.
            categories: of Azure Monitor.
            account: id of an account in place of the locked one; None: none, as the resource lies in
                another region.
        """
        MonitorDiagnosticSetting(
            scope,
            id_,
            name="isocenter",
            target_resource_id=target,
            log_analytics_workspace_id=self.workspace.id,
            # One table a category, with columns: the alarms ask these.
            log_analytics_destination_type="Dedicated",
            storage_account_id=self.account if account == "" else account,
            enabled_log=[MonitorDiagnosticSettingEnabledLog(category=category) for category in categories],
        )
