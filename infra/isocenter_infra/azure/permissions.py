"""What the roles of our own may do: each action by name, no wildcard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"


@dataclass(frozen=True)
class Permissions:
    """Actions on resources, and data actions on what they hold."""

    actions: Sequence[str] = ()
    data_actions: Sequence[str] = ()


# Only a person changes these: with them a workflow could make itself anything.
_BY_A_PERSON = (
    "Microsoft.Authorization/roleDefinitions",
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials",
)
# What a deployment sets in the whole subscription, outside its groups.
_AROUND = (
    "Microsoft.Authorization/policyAssignments",
    "Microsoft.Insights/DiagnosticSettings",
    "Microsoft.Network/networkWatchers/flowLogs",
    "Microsoft.Security/pricings",
    "Microsoft.Security/securityContacts",
)
# What a deployment consists of. Of these a workflow may make, change and read each ...
_KINDS = (
    "Microsoft.Authorization/locks",
    "Microsoft.Authorization/policyAssignments",
    "Microsoft.Authorization/roleAssignments",
    "Microsoft.Compute/diskEncryptionSets",
    "Microsoft.Consumption/budgets",
    "Microsoft.ContainerRegistry/registries",
    "Microsoft.ContainerRegistry/registries/replications",
    "Microsoft.ContainerService/managedClusters",
    "Microsoft.ContainerService/managedClusters/agentPools",
    "Microsoft.Insights/ActionGroups",
    "Microsoft.Insights/ActivityLogAlerts",
    "Microsoft.Insights/Components",
    "Microsoft.Insights/DiagnosticSettings",
    "Microsoft.Insights/PrivateLinkScopes",
    "Microsoft.Insights/PrivateLinkScopes/ScopedResources",
    "Microsoft.Insights/ScheduledQueryRules",
    "Microsoft.KeyVault/vaults",
    "Microsoft.MachineLearningServices/workspaces",
    "Microsoft.MachineLearningServices/workspaces/computes",
    "Microsoft.MachineLearningServices/workspaces/datastores",
    "Microsoft.MachineLearningServices/workspaces/outboundRules",
    "Microsoft.ManagedIdentity/userAssignedIdentities",
    "Microsoft.Network/natGateways",
    "Microsoft.Network/networkSecurityGroups",
    "Microsoft.Network/networkSecurityGroups/securityRules",
    "Microsoft.Network/privateDnsZones",
    "Microsoft.Network/privateDnsZones/virtualNetworkLinks",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
    "Microsoft.Network/publicIPAddresses",
    "Microsoft.Network/virtualNetworks",
    "Microsoft.Network/virtualNetworks/subnets",
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings",
    "Microsoft.OperationalInsights/workspaces",
    "Microsoft.OperationalInsights/workspaces/dataExports",
    "Microsoft.Resources/subscriptions/resourceGroups",
    "Microsoft.Storage/storageAccounts",
    "Microsoft.Storage/storageAccounts/blobServices",
    "Microsoft.Storage/storageAccounts/blobServices/containers",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies",
    "Microsoft.Storage/storageAccounts/managementPolicies",
    "Microsoft.Storage/storageAccounts/objectReplicationPolicies",
)
# ... and remove these only: what holds data, keys, logs or locks goes by a person's hand.
_REMOVABLE = (
    "Microsoft.ContainerService/managedClusters/agentPools",
    "Microsoft.Insights/ScheduledQueryRules",
    "Microsoft.MachineLearningServices/workspaces/computes",
    "Microsoft.MachineLearningServices/workspaces/datastores",
    "Microsoft.MachineLearningServices/workspaces/outboundRules",
    "Microsoft.Network/privateEndpoints",
    "Microsoft.Network/privateEndpoints/privateDnsZoneGroups",
)
_USES = (
    "Microsoft.ContainerService/managedClusters/listClusterUserCredential/action",
    "Microsoft.Insights/PrivateLinkScopes/PrivateEndpointConnectionsApproval/action",
    "Microsoft.KeyVault/vaults/PrivateEndpointConnectionsApproval/action",
    "Microsoft.ContainerRegistry/registries/privateEndpointConnectionsApproval/action",
    "Microsoft.MachineLearningServices/workspaces/privateEndpointConnectionsApproval/action",
    "Microsoft.Storage/storageAccounts/PrivateEndpointConnectionsApproval/action",
    "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/lock/action",
    "Microsoft.ManagedIdentity/userAssignedIdentities/assign/action",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/natGateways/join/action",
    "Microsoft.Network/privateDnsZones/join/action",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/virtualNetworks/join/action",
    "Microsoft.Network/virtualNetworks/peer/action",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Network/virtualNetworks/subnets/joinViaServiceEndpoint/action",
    "Microsoft.OperationalInsights/workspaces/sharedKeys/action",
)
_READS = tuple(f"{kind}/read" for kind in (*_KINDS, *_BY_A_PERSON))
_READS_AROUND = (
    *(f"{kind}/read" for kind in _AROUND),
    "Microsoft.Authorization/roleDefinitions/read",
    "Microsoft.Network/networkWatchers/read",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/virtualNetworkPeerings/read",
)
# Tables of the workspace that hold evidence.
_TABLES = (
    "AZKVAuditLogs",
    "AzureActivity",
    "ContainerRegistryLoginEvents",
    "ContainerRegistryRepositoryEvents",
    "NTANetAnalytics",
    "SecurityAlert",
    "StorageBlobLogs",
)

PERMISSIONS: Mapping[str, Permissions] = {
    "planner": Permissions(actions=_READS),
    "deployer": Permissions(
        actions=(
            *_READS,
            *(f"{kind}/write" for kind in _KINDS),
            *(f"{kind}/delete" for kind in _REMOVABLE),
            *_USES,
        )
    ),
    # In the whole subscription, where "planner" and "deployer" end at the deployment's groups.
    "lookout": Permissions(actions=_READS_AROUND),
    "warden": Permissions(actions=(*_READS_AROUND, *(f"{kind}/write" for kind in _AROUND))),
    "auditor": Permissions(
        actions=(
            *_READS,
            "Microsoft.Insights/eventtypes/values/Read",
            "Microsoft.PolicyInsights/policyStates/queryResults/action",
            "Microsoft.Security/alerts/read",
            "Microsoft.Security/assessments/read",
            "Microsoft.OperationalInsights/workspaces/query/read",
            *(f"Microsoft.OperationalInsights/workspaces/query/{table}/read" for table in _TABLES),
        )
    ),
    # Patient data and secrets when all else fails; neither roles nor logs, so that no use can be hidden.
    "break-glass": Permissions(
        actions=(
            "Microsoft.KeyVault/vaults/read",
            "Microsoft.Storage/storageAccounts/read",
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.MachineLearningServices/workspaces/read",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
        data_actions=(
            f"{_BLOBS}/read",
            f"{_BLOBS}/write",
            f"{_BLOBS}/add/action",
            "Microsoft.KeyVault/vaults/secrets/getSecret/action",
            "Microsoft.KeyVault/vaults/secrets/readMetadata/action",
        ),
    ),
    # Writes evidence; what is written is locked, so a right to delete would be idle, and isn't given.
    "recorder": Permissions(
        actions=("Microsoft.Storage/storageAccounts/blobServices/containers/read",),
        data_actions=(f"{_BLOBS}/read", f"{_BLOBS}/write", f"{_BLOBS}/add/action"),
    ),
    "scaler": Permissions(
        actions=(
            "Microsoft.Insights/AutoscaleSettings/Read",
            "Microsoft.Insights/AutoscaleSettings/Write",
            "Microsoft.Insights/AutoscaleSettings/Delete",
            # What a new version does is looked at before it gets more of the traffic.
            "Microsoft.Insights/Metrics/Read",
        )
    ),
}
