"""Questions to the logs whose answer must be empty (Kusto): one line is an alarm."""

from collections.abc import Mapping, Sequence


def _operations(names: Sequence[str]) -> str:
    listed = ", ".join(f'"{name}"' for name in names)
    return f"AzureActivity | where OperationNameValue in~ ({listed}) | where ActivityStatusValue == 'Success'"


ALARMS: Mapping[str, str] = {
    "storage-denied": "StorageBlobLogs | where StatusCode in (401, 403)",
    "vault-denied": "AZKVAuditLogs | where HttpStatusCode in (401, 403)",
    "control-denied": (
        "AzureActivity | where ActivityStatusValue == 'Failure'"
        " | where Properties has_any ('AuthorizationFailed', 'Forbidden', 'RequestDisallowedByPolicy')"
    ),
    "registry-denied": "ContainerRegistryLoginEvents | where ResultType in ('401', '403')",
    "audit-changed": _operations(
        [
            "Microsoft.Insights/diagnosticSettings/write",
            "Microsoft.Insights/diagnosticSettings/delete",
            "Microsoft.OperationalInsights/workspaces/delete",
            "Microsoft.OperationalInsights/workspaces/dataExports/delete",
            "Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies/delete",
            "Microsoft.Network/networkWatchers/flowLogs/delete",
            "Microsoft.Insights/ScheduledQueryRules/write",
            "Microsoft.Insights/ScheduledQueryRules/delete",
        ]
    ),
    "keys-changed": (
        "AZKVAuditLogs | where OperationName in"
        " ('KeyDelete', 'KeyPurge', 'KeyUpdate', 'SecretDelete', 'SecretPurge', 'VaultDelete', 'VaultPatch')"
    ),
    "storage-opened": _operations(
        [
            "Microsoft.Storage/storageAccounts/write",
            "Microsoft.Storage/storageAccounts/delete",
            "Microsoft.Storage/storageAccounts/listKeys/action",
        ]
    ),
    "network-changed": _operations(
        [
            "Microsoft.Network/networkSecurityGroups/write",
            "Microsoft.Network/networkSecurityGroups/securityRules/write",
            "Microsoft.Network/networkSecurityGroups/securityRules/delete",
            "Microsoft.Network/publicIPAddresses/write",
            "Microsoft.MachineLearningServices/workspaces/outboundRules/write",
        ]
    ),
    "identity-changed": _operations(
        [
            "Microsoft.Authorization/roleAssignments/write",
            "Microsoft.Authorization/roleDefinitions/write",
            "Microsoft.Authorization/locks/delete",
            "Microsoft.Authorization/policyAssignments/delete",
            "Microsoft.Authorization/policyExemptions/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
        ]
    ),
}


def break_glass_query(principal_id: str) -> str:
    """Finds each thing that the break-glass identity does, in the subscription, the data or the keys."""
    return (
        "union isfuzzy=true"
        f" (AzureActivity | where Caller =~ '{principal_id}'),"
        f" (StorageBlobLogs | where RequesterObjectId =~ '{principal_id}'),"
        f" (AZKVAuditLogs | where tostring(Identity.claim.oid) =~ '{principal_id}')"
    )
