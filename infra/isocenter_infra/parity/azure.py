"""The settings that make the controls true on Azure.

Where the provider can't express a control, what the stack tells the platform layer to do is held instead
(kind ``output``).
"""

from collections.abc import Collection
from ipaddress import ip_network
from typing import Any

from isocenter_infra.parity.requirement import (
    Predicate,
    Requirement,
    absent,
    at_least,
    at_most,
    bounded,
    contains,
    equals,
    lacks,
    matches,
    one_of,
    present,
    refers_to,
    says,
)

_SIX_YEARS_DAYS = 2192
_TRUE, _FALSE = equals(True), equals(False)
_ACCOUNT, _VAULT, _KEY = "azurerm_storage_account", "azurerm_key_vault", "azurerm_key_vault_key"
_CONTAINER, _LOCK = "azurerm_storage_container", "azurerm_storage_container_immutability_policy"
_LOGS, _RULE = "azurerm_monitor_diagnostic_setting", "azurerm_network_security_rule"
_GRANT, _ROLE = "azurerm_role_assignment", "azurerm_role_definition"
_IDENTITY, _TRUST = "azurerm_user_assigned_identity", "azurerm_federated_identity_credential"
_ALARM, _PLAN = (
    "azurerm_monitor_scheduled_query_rules_alert_v2",
    "azurerm_security_center_subscription_pricing",
)
_WORKSPACE, _REGISTRY = "azurerm_machine_learning_workspace", "azurerm_container_registry"
_CLUSTER, _NOTEBOOK = (
    "azurerm_machine_learning_compute_cluster",
    "azurerm_machine_learning_compute_instance",
)
_AKS, _NODES = "azurerm_kubernetes_cluster", "azurerm_kubernetes_cluster_node_pool"
_ENDPOINT, _LOG_WORKSPACE = "azurerm_private_endpoint", "azurerm_log_analytics_workspace"
_OUTBOUND = "azurerm_machine_learning_workspace_network_outbound_rule"
_GITHUB = "https://token.actions.githubusercontent.com"
_AUDIENCE = ["api://AzureADTokenExchange"]
# Built-in roles that would make every other grant idle.
_TOO_MUCH = frozenset(
    (
        "Owner",
        "Contributor",
        "User Access Administrator",
        "Role Based Access Control Administrator",
        "Key Vault Administrator",
        "Storage Blob Data Owner",
        "Storage Account Contributor",
        "Security Admin",
    )
)
_SERVICE_TAGS = frozenset(
    (
        "AzureActiveDirectory",
        "AzureResourceManager",
        "MicrosoftContainerRegistry",
        "AzureFrontDoor.FirstParty",
        "AzureMonitor",
        "AzureLoadBalancer",
    )
)


def _versionless() -> Predicate:
    return Predicate(
        "refer to a key without its version",
        matches(r"\$\{azurerm_key_vault_key\..+\.versionless_id\}").holds,
    )


def _categories(*wanted: str) -> Predicate:
    """The blocks of a diagnostic setting name each of ``wanted``."""

    def holds(value: Any) -> bool:
        named = {block.get("category") for block in value if isinstance(block, dict)} if value else set()
        return set(wanted) <= named

    return Predicate(f"hold the categories {', '.join(wanted)}", holds)


def _is_narrow(address: Any, tags: Collection[str] = _SERVICE_TAGS) -> bool:
    try:
        return address in tags or ip_network(address).is_private
    except (TypeError, ValueError):
        return False


def _narrow() -> Predicate:
    """Private ranges or service tags that are known; nothing where the other argument says it."""

    def holds(value: Any) -> bool:
        return value is None or all(map(_is_narrow, value if isinstance(value, list) else [value]))

    return Predicate("be private ranges or the service tags in use, never all addresses", holds)


def _modest() -> Predicate:
    return Predicate(f"be none of {', '.join(sorted(_TOO_MUCH))}", lambda v: v is None or v not in _TOO_MUCH)


def _only(*wanted: str) -> Predicate:
    return Predicate(
        f"be {sorted(wanted)}", lambda v: isinstance(v, list) and bool(v) and set(v) <= set(wanted)
    )


def _extended(name: str) -> Predicate:
    return Predicate(
        f"hold the extension {name}",
        lambda v: isinstance(v, list) and any(block.get("name") == name for block in v),
    )


_KEYS = (
    Requirement(1, _KEY, "key_type", equals("RSA-HSM"), least=5),
    Requirement(1, _KEY, "key_size", at_least(3072), least=5),
    Requirement(1, _KEY, "key_opts", _only("wrapKey", "unwrapKey"), least=5),
    Requirement(
        1,
        _KEY,
        "rotation_policy.automatic.time_after_creation",
        one_of("P90D", "P6M", "P180D", "P365D", "P1Y"),
        least=5,
    ),
    Requirement(1, _KEY, "rotation_policy.expire_after", one_of("P1Y", "P18M", "P2Y"), least=5),
    Requirement(1, _KEY, "rotation_policy.notify_before_expiry", present(), least=5),
    Requirement(1, _VAULT, "sku_name", equals("premium"), least=3),
    Requirement(1, _VAULT, "purge_protection_enabled", _TRUE, least=3),
    Requirement(1, _VAULT, "soft_delete_retention_days", at_least(90), least=3),
)

_STORAGE = (
    Requirement(2, _ACCOUNT, "customer_managed_key.key_vault_key_id", _versionless(), least=7),
    Requirement(2, _ACCOUNT, "customer_managed_key.user_assigned_identity_id", refers_to(_IDENTITY), least=7),
    Requirement(2, _ACCOUNT, "identity.type", equals("UserAssigned"), least=7),
    Requirement(2, _ACCOUNT, "infrastructure_encryption_enabled", _TRUE, least=7),
    Requirement(2, _ACCOUNT, "queue_encryption_key_type", equals("Account"), least=7),
    Requirement(2, _ACCOUNT, "table_encryption_key_type", equals("Account"), least=7),
    Requirement(3, _ACCOUNT, "blob_properties.versioning_enabled", _TRUE, least=7),
    Requirement(3, _ACCOUNT, "blob_properties.change_feed_enabled", _TRUE, least=7),
    Requirement(3, _ACCOUNT, "blob_properties.delete_retention_policy.days", at_least(7), least=7),
    Requirement(
        3, _ACCOUNT, "blob_properties.delete_retention_policy.permanent_delete_enabled", _FALSE, least=7
    ),
    Requirement(3, _ACCOUNT, "blob_properties.container_delete_retention_policy.days", at_least(7), least=7),
    Requirement(4, _LOCK, "locked", _TRUE, path="audit/*", least=2),
    Requirement(4, _LOCK, "immutability_period_in_days", at_least(_SIX_YEARS_DAYS), path="audit/*", least=2),
    Requirement(
        4,
        _LOCK,
        "storage_container_resource_manager_id",
        matches(r"\$\{azurerm_storage_container\.audit_.+\.id\}"),
        path="audit/*",
        least=2,
    ),
    Requirement(4, _LOCK, "protected_append_writes_all_enabled", absent(), path="audit/*", least=2),
    Requirement(5, _ACCOUNT, "public_network_access_enabled", _FALSE, least=7),
    Requirement(5, _ACCOUNT, "public_network_access", absent(), least=7),
    Requirement(5, _ACCOUNT, "allow_nested_items_to_be_public", _FALSE, least=7),
    Requirement(5, _ACCOUNT, "network_rules.default_action", equals("Deny"), least=7),
    Requirement(5, _ACCOUNT, "network_rules.ip_rules", absent(), least=7),
    Requirement(5, _ACCOUNT, "network_rules.virtual_network_subnet_ids", absent(), least=7),
    Requirement(5, _ACCOUNT, "network_rules.bypass", _only("AzureServices"), least=7),
    Requirement(5, _CONTAINER, "container_access_type", equals("private"), least=8),
    Requirement(5, _VAULT, "public_network_access_enabled", _FALSE, least=3),
    Requirement(5, _VAULT, "network_acls.default_action", equals("Deny"), least=3),
    Requirement(5, _VAULT, "network_acls.ip_rules", absent(), least=3),
    Requirement(5, _VAULT, "network_acls.virtual_network_subnet_ids", absent(), least=3),
    Requirement(6, _ACCOUNT, "https_traffic_only_enabled", _TRUE, least=7),
    Requirement(6, _ACCOUNT, "min_tls_version", one_of("TLS1_2", "TLS1_3"), least=7),
    Requirement(7, _ACCOUNT, "shared_access_key_enabled", _FALSE, least=7),
    Requirement(7, _ACCOUNT, "local_user_enabled", _FALSE, least=7),
    Requirement(7, _ACCOUNT, "sftp_enabled", _FALSE, least=7),
    Requirement(7, _ACCOUNT, "default_to_oauth_authentication", _TRUE, least=7),
    Requirement(7, _VAULT, "rbac_authorization_enabled", _TRUE, least=3),
    Requirement(7, _VAULT, "access_policy", absent(), least=3),
)

_READ_AND_CHANGED = ("data", "models", "data-copy", "models-copy")
_AUDIT = (
    *(
        Requirement(8, _LOGS, setting, must, path=f"audit/{bucket}")
        for bucket in ("logs", "audit", *_READ_AND_CHANGED)
        for setting, must in (
            ("target_resource_id", matches(rf"\$\{{{_ACCOUNT}\..+\.id\}}/blobServices/default")),
            ("enabled_log", _categories("StorageRead", "StorageWrite", "StorageDelete")),
            ("log_analytics_workspace_id", refers_to(_LOG_WORKSPACE)),
        )
    ),
    *(
        Requirement(9, _LOGS, setting, must, path="audit/activity")
        for setting, must in (
            ("target_resource_id", matches(r"/subscriptions/[0-9a-f-]{36}")),
            ("enabled_log", _categories("Administrative", "Security", "Policy", "Alert")),
            ("log_analytics_workspace_id", refers_to(_LOG_WORKSPACE)),
            ("storage_account_id", matches(rf"\$\{{{_ACCOUNT}\.audit_.+\.id\}}")),
        )
    ),
    Requirement(9, _LOGS, "enabled_log", _categories("NetworkSecurityGroupEvent"), path="network/*", least=2),
    *(
        Requirement(10, _LOGS, setting, must, path=f"audit/{bucket}")
        for bucket in ("data", "models")
        for setting, must in (
            ("enabled_log", _categories("StorageRead", "StorageWrite", "StorageDelete")),
            ("storage_account_id", matches(rf"\$\{{{_ACCOUNT}\.audit_.+\.id\}}")),
        )
    ),
    *(
        Requirement(10, _LOGS, "enabled_log", _categories("AuditEvent"), path=path)
        for path in ("audit/keys", "audit/copy-keys", "workspace/vault-logs")
    ),
    Requirement(11, _LOCK, "immutability_period_in_days", at_least(_SIX_YEARS_DAYS), path="audit/*", least=2),
    *(
        Requirement(
            11,
            kind,
            "for_each",
            contains(
                "insights-activity-logs",
                "insights-logs-administrative",
                "insights-logs-storageread",
                "insights-logs-storagewrite",
                "insights-logs-storagedelete",
                "insights-logs-auditevent",
                "am-storagebloblogs",
                "am-azureactivity",
                "am-azkvauditlogs",
            ),
            path=path,
        )
        for kind, path in ((_CONTAINER, "audit/arriving"), (_LOCK, "audit/arriving-lock"))
    ),
    *(
        Requirement(11, "azurerm_log_analytics_data_export_rule", setting, must)
        for setting, must in (
            ("enabled", _TRUE),
            ("table_names", contains("AzureActivity", "StorageBlobLogs", "AZKVAuditLogs")),
            ("destination_resource_id", matches(rf"\$\{{{_ACCOUNT}\.audit_.+\.id\}}")),
        )
    ),
    Requirement(11, _LOG_WORKSPACE, "retention_in_days", at_least(90)),
    Requirement(12, _LOCK, "locked", _TRUE, path="audit/*", least=2),
    Requirement(12, _LOCK, "protected_append_writes_enabled", _TRUE, path="audit/*", least=2),
    Requirement(12, _LOG_WORKSPACE, "local_authentication_enabled", _FALSE),
    Requirement(12, _LOG_WORKSPACE, "internet_query_access_type", equals("Disabled")),
    Requirement(12, _LOG_WORKSPACE, "internet_ingestion_access_type", equals("Disabled")),
)

_QUESTIONS = {
    "storage-denied": ("StorageBlobLogs", "403"),
    "vault-denied": ("AZKVAuditLogs", "403"),
    "control-denied": ("AzureActivity", "AuthorizationFailed"),
    "registry-denied": ("ContainerRegistryLoginEvents",),
    "audit-changed": ("Microsoft.Insights/diagnosticSettings/delete", "immutabilityPolicies/delete"),
    "keys-changed": ("KeyDelete", "KeyPurge"),
    "storage-opened": ("Microsoft.Storage/storageAccounts/write",),
    "network-changed": ("Microsoft.Network/networkSecurityGroups/securityRules/write",),
    "identity-changed": ("Microsoft.Authorization/roleAssignments/write",),
}
_ALARMS = (
    *(
        Requirement(13, _ALARM, "criteria.*.query", contains(*words), path=f"guard/{name}")
        for name, words in _QUESTIONS.items()
    ),
    *(
        Requirement(13, _ALARM, setting, must, least=10)
        for setting, must in (
            ("enabled", _TRUE),
            ("severity", at_most(1)),
            ("criteria.*.operator", one_of("GreaterThan", "GreaterThanOrEqual")),
            ("criteria.*.threshold", at_most(0)),
            ("action.action_groups.*", refers_to("azurerm_monitor_action_group")),
            ("scopes.*", refers_to(_LOG_WORKSPACE)),
            ("evaluation_frequency", one_of("PT1M", "PT5M", "PT10M")),
            ("mute_actions_after_alert_duration", absent()),
        )
    ),
    Requirement(13, "azurerm_monitor_action_group", "enabled", _TRUE),
    Requirement(
        13, "azurerm_monitor_action_group", "email_receiver.*.email_address", matches(r"[^@]+@[^@]+")
    ),
)

_POSTURE = (
    *(
        Requirement(14, _PLAN, setting, must, path=f"guard/posture/{plan}")
        for plan in ("storageaccounts", "containers", "keyvaults", "arm", "cloudposture")
        for setting, must in (("tier", equals("Standard")), ("resource_type", present()))
    ),
    Requirement(
        14, _PLAN, "extension", _extended("OnUploadMalwareDetection"), path="guard/posture/storageaccounts"
    ),
    Requirement(14, "azurerm_security_center_contact", "alert_notifications", _TRUE),
    Requirement(14, "azurerm_security_center_contact", "alerts_to_admins", _TRUE),
    Requirement(14, "azurerm_security_center_contact", "email", matches(r"[^@]+@[^@]+")),
    Requirement(
        15,
        "azurerm_subscription_policy_assignment",
        "policy_definition_id",
        matches(r".*/a169a624-5599-4385-a696-c8d643089fab"),
        path="guard/posture/hipaa",
    ),
    Requirement(15, "azurerm_subscription_policy_assignment", "enforce", _TRUE),
    Requirement(15, "azurerm_subscription_policy_assignment", "not_scopes", absent()),
    *(
        Requirement(15, "azurerm_resource_group_policy_assignment", setting, must, path=path, least=2)
        for path, policy in (
            ("guard/posture/locations-*", "e56962a6-4747-49cd-b67b-bf8b01975c4c"),
            ("guard/posture/interfaces-*", "83a86a26-fd1f-447c-b59d-e51f44264114"),
        )
        for setting, must in (
            ("policy_definition_id", matches(rf".*/{policy}")),
            ("enforce", _TRUE),
            ("not_scopes", absent()),
        )
    ),
    Requirement(
        15,
        "azurerm_resource_group_policy_assignment",
        "parameters",
        contains("listOfAllowedLocations"),
        path="guard/posture/locations-*",
        least=2,
    ),
)

_NETWORK = (
    Requirement(16, "azurerm_virtual_network", "address_space.*", _narrow()),
    Requirement(16, "azurerm_subnet", "default_outbound_access_enabled", _FALSE, least=2),
    Requirement(16, "azurerm_subnet", "private_endpoint_network_policies", equals("Enabled"), least=2),
    Requirement(16, "azurerm_subnet", "service_endpoint", absent(), least=2),
    Requirement(
        16,
        "azurerm_subnet_network_security_group_association",
        "network_security_group_id",
        refers_to("azurerm_network_security_group"),
        least=2,
    ),
    *(
        Requirement(
            16, "azurerm_subnet_network_security_group_association", path=f"network/{name}-association"
        )
        for name in ("endpoints", "workloads")
    ),
    # The one public address is that of the nodes' way out, where there is Kubernetes.
    Requirement(16, "azurerm_public_ip", "name", absent(), path="[!k]*", least=0),
    Requirement(16, "azurerm_nat_gateway", "name", absent(), path="[!k]*", least=0),
    Requirement(16, "azurerm_virtual_network_peering", "use_remote_gateways", _FALSE, least=0),
    Requirement(16, "azurerm_virtual_network_peering", "allow_gateway_transit", _FALSE, least=0),
    *(
        Requirement(17, "azurerm_network_watcher_flow_log", setting, must)
        for setting, must in (
            ("enabled", _TRUE),
            ("version", at_least(2)),
            ("target_resource_id", refers_to("azurerm_virtual_network")),
            ("storage_account_id", refers_to(_ACCOUNT)),
            ("retention_policy.enabled", _TRUE),
            ("retention_policy.days", at_least(365)),
            ("traffic_analytics.enabled", _TRUE),
            ("traffic_analytics.workspace_resource_id", refers_to(_LOG_WORKSPACE)),
        )
    ),
    *(
        Requirement(18, _ENDPOINT, setting, must, least=18)
        for setting, must in (
            ("subnet_id", refers_to("azurerm_subnet")),
            ("private_service_connection.is_manual_connection", _FALSE),
            ("private_service_connection.private_connection_resource_id", matches(r"\$\{azurerm_.+\.id\}")),
            ("private_service_connection.subresource_names", present()),
            ("private_dns_zone_group.private_dns_zone_ids.*", refers_to("azurerm_private_dns_zone")),
        )
    ),
    *(
        Requirement(
            18,
            _ENDPOINT,
            "private_service_connection.private_connection_resource_id",
            refers_to(kind),
            path=path,
        )
        for path, kind in {
            "network/keys-endpoint": _VAULT,
            "network/copy-keys-endpoint": _VAULT,
            "network/data-blob-endpoint": _ACCOUNT,
            "network/models-blob-endpoint": _ACCOUNT,
            "network/audit-blob-endpoint": _ACCOUNT,
            "network/monitor-endpoint": "azurerm_monitor_private_link_scope",
            "registry/registry-endpoint": _REGISTRY,
            "workspace/workspace-endpoint": _WORKSPACE,
            "workspace/workspace-vault-endpoint": _VAULT,
        }.items()
    ),
    *(
        Requirement(18, "azurerm_private_dns_zone", "name", matches(pattern), path=f"network/{name}-zone")
        for name, pattern in {
            "blob": r"privatelink\.blob\.core\.windows\.net",
            "vault": r"privatelink\.vaultcore\.azure\.net",
            "registry": r"privatelink\.azurecr\.io",
            "ml-api": r"privatelink\.api\.azureml\.ms",
            "monitor": r"privatelink\.monitor\.azure\.com",
        }.items()
    ),
    Requirement(
        18,
        "azurerm_private_dns_zone_virtual_network_link",
        "virtual_network_id",
        refers_to("azurerm_virtual_network"),
        path="network/*-network-link",
        least=11,
    ),
    Requirement(18, "azurerm_monitor_private_link_scope", "ingestion_access_mode", equals("PrivateOnly")),
    Requirement(18, "azurerm_monitor_private_link_scope", "query_access_mode", equals("PrivateOnly")),
    Requirement(18, _WORKSPACE, "public_network_access_enabled", _FALSE),
    Requirement(18, _REGISTRY, "public_network_access_enabled", _FALSE),
    Requirement(19, _WORKSPACE, "managed_network.isolation_mode", equals("AllowOnlyApprovedOutbound")),
    Requirement(19, _WORKSPACE, "managed_network.provision_on_creation_enabled", _TRUE),
    *(
        Requirement(
            19,
            f"{_OUTBOUND}_private_endpoint",
            "service_resource_id",
            matches(rf"\$\{{{_ACCOUNT}\.storage_{bucket}_account_.+\.id\}}"),
            path=f"compute/{bucket}-approved",
        )
        for bucket in ("data", "models")
    ),
    # No way out by name or tag: what is approved is a private endpoint each.
    Requirement(19, f"{_OUTBOUND}_fqdn", "name", absent(), least=0),
    Requirement(19, f"{_OUTBOUND}_service_tag", "name", absent(), least=0),
    Requirement(19, _ACCOUNT, "allowed_copy_scope", one_of("AAD", "PrivateLink"), least=7),
    Requirement(19, _ACCOUNT, "cross_tenant_replication_enabled", _FALSE, least=7),
    Requirement(19, _REGISTRY, "export_policy_enabled", _FALSE),
    Requirement(19, _REGISTRY, "network_rule_bypass_for_tasks_enabled", _FALSE),
    *(
        Requirement(20, _RULE, setting, must, path=f"network/deny-{group}-group-{direction}")
        for group in ("endpoints", "workloads")
        for direction in ("inbound", "outbound")
        for setting, must in (
            ("access", equals("Deny")),
            ("direction", equals(direction.capitalize())),
            ("protocol", equals("*")),
            ("source_address_prefix", equals("*")),
            ("source_port_range", equals("*")),
            ("destination_address_prefix", equals("*")),
            ("destination_port_range", equals("*")),
        )
    ),
    Requirement(20, _RULE, "access", equals("Deny"), path="network/deny-*", least=4),
    *(
        Requirement(20, _RULE, setting, _narrow(), path="network/allow-*", least=2)
        for setting in (
            "source_address_prefix",
            "source_address_prefixes",
            "destination_address_prefix",
            "destination_address_prefixes",
        )
    ),
    Requirement(20, _RULE, "name", absent(), path="network/[!ad]*", least=0),
    Requirement(20, _RULE, "name", absent(), path="[!n]*", least=0),
    Requirement(20, "azurerm_network_security_group", "security_rule", absent(), least=2),
)

_WHERE = r"\$\{azurerm_[a-z_]+\..+\}"
_IDENTITIES = (
    *(
        Requirement(21, _IDENTITY, path=f"identity/{role}")
        for role in ("training", "serving", "pipeline", "ci-plan", "ci-deploy", "auditor", "break-glass")
    ),
    Requirement(21, _GRANT, "role_definition_name", _modest(), least=40),
    Requirement(21, _GRANT, "principal_id", refers_to(_IDENTITY), least=40),
    *(
        Requirement(21, _GRANT, "scope", matches(_WHERE + r".*"), path=path)
        for path in (
            "keys/*",
            "identity/[!c]*",
            "secrets/*",
            "registry/*",
            "workspace/*",
            "compute/*",
            "serving/*",
        )
    ),
    Requirement(21, _ROLE, "permissions.*.actions.*", matches(r"[A-Za-z./]+"), least=8),
    *(
        Requirement(21, _GRANT, "role_definition_name", equals(role), path=f"identity/{path}")
        for path, role in {
            "training-data": "Storage Blob Data Reader",
            "training-models": "Storage Blob Data Contributor",
            "serving-models": "Storage Blob Data Reader",
        }.items()
    ),
    *(
        Requirement(21, _GRANT, "scope", refers_to(_CONTAINER), path=f"identity/{path}")
        for path in ("training-data", "training-models", "serving-models", "pipeline-data", "pipeline-audit")
    ),
    *(
        Requirement(
            21,
            _GRANT,
            "condition",
            contains(
                "RoleDefinitionId] ForAnyOfAllValues:GuidNotEquals",
                "PrincipalId] ForAnyOfAllValues:GuidNotEquals",
                "8e3af657-a8ff-443c-a75c-2fe8c4bcb635",
                "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9",
                "f58310d9-a9f6-439a-9e8d-f62e7b41a168",
                "b24988ac-6180-42a0-ab88-20f7382dd24c",
            ),
            path=f"identity/ci-deploy-{where}",
        )
        for where in ("here", "there")
    ),
    Requirement(
        21,
        _ROLE,
        "permissions.*.actions",
        lacks(
            "Microsoft.Authorization/roleDefinitions/write",
            "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials/write",
            "Microsoft.Authorization/locks/delete",
            "Microsoft.Storage/storageAccounts/delete",
            "Microsoft.KeyVault/vaults/delete",
            "Microsoft.Storage/storageAccounts/listKeys/action",
        ),
        least=8,
    ),
    *(
        Requirement(22, _TRUST, setting, must, path=f"identity/{role}-github")
        for role in ("ci-plan", "ci-deploy", "auditor", "break-glass")
        for setting, must in (
            ("issuer", equals(_GITHUB)),
            ("audience", equals(_AUDIENCE)),
            (
                "user_assigned_identity_id",
                matches(rf"\$\{{{_IDENTITY}\.identity_{role}_.+\.id\}}"),
            ),
        )
    ),
    *(
        Requirement(
            22,
            _TRUST,
            "subject",
            matches(rf"repo:[\w.-]+/[\w.-]+:{ending}"),
            path=f"identity/{role}-github",
        )
        for role, ending in {
            "ci-plan": "pull_request",
            "ci-deploy": r"environment:(?!auditor$|break-glass$)[\w.-]+",
            "auditor": "environment:auditor",
            "break-glass": "environment:break-glass",
        }.items()
    ),
    Requirement(22, _TRUST, "subject", lacks("*"), path="*", least=4),
    Requirement(
        22, _GRANT, "role_definition_id", matches(r".*_planner-role_.*"), path="identity/ci-plan-here"
    ),
    Requirement(22, _ROLE, "permissions.*.actions.*", matches(r".+/read"), path="identity/planner-role"),
    Requirement(22, _ROLE, "permissions.*.actions.*", matches(r".+/read"), path="identity/lookout-role"),
    Requirement(
        23,
        _ROLE,
        "permissions.*.actions.*",
        matches(r".+/([Rr]ead|queryResults/action)"),
        path="identity/auditor-role",
    ),
    Requirement(23, _ROLE, "permissions.*.data_actions", absent(), path="identity/auditor-role"),
    Requirement(
        23, _GRANT, "role_definition_id", matches(r".*_auditor-role_.*"), path="identity/auditor-here"
    ),
    Requirement(
        23,
        _GRANT,
        "role_definition_name",
        equals("Storage Blob Data Reader"),
        path="identity/auditor-evidence",
    ),
    Requirement(
        23,
        _GRANT,
        "scope",
        matches(rf"\$\{{{_ACCOUNT}\.audit_.+\.id\}}"),
        path="identity/auditor-evidence",
    ),
    Requirement(
        24,
        _ROLE,
        "permissions.*.actions.*",
        matches(r".+/read"),
        path="identity/break-glass-role",
    ),
    Requirement(
        24,
        _ROLE,
        "permissions.*.data_actions.*",
        matches(r".+/(read|write|add/action|getSecret/action|readMetadata/action)"),
        path="identity/break-glass-role",
    ),
    *(
        Requirement(
            24,
            _GRANT,
            "role_definition_id",
            matches(r".*_break-glass-role_.*"),
            path=f"identity/break-glass-{what}",
        )
        for what in ("data", "models", "keys")
    ),
    *(
        Requirement(24, _ALARM, setting, must, path="guard/break-glass")
        for setting, must in (
            ("enabled", _TRUE),
            ("severity", at_most(0)),
            (
                "criteria.*.query",
                contains(
                    "AzureActivity",
                    "StorageBlobLogs",
                    "AZKVAuditLogs",
                    f"${{{_IDENTITY}.identity_break-glass",
                ),
            ),
        )
    ),
)

_IMAGES = (
    Requirement(25, _REGISTRY, "sku", equals("Premium")),
    Requirement(25, _REGISTRY, "encryption.*.key_vault_key_id", _versionless()),
    Requirement(25, _REGISTRY, "encryption.*.identity_client_id", refers_to(_IDENTITY)),
    Requirement(25, _REGISTRY, "admin_enabled", _FALSE),
    Requirement(25, _REGISTRY, "anonymous_pull_enabled", _FALSE),
    Requirement(25, _REGISTRY, "data_endpoint_enabled", _TRUE),
    Requirement(25, _REGISTRY, "retention_policy_in_days", at_least(7)),
    Requirement(25, "output", "value.by_platform", says("tag is locked against overwriting")),
    Requirement(
        26,
        _PLAN,
        "extension",
        _extended("ContainerRegistriesVulnerabilityAssessments"),
        path="guard/posture/containers",
    ),
    Requirement(26, _PLAN, "tier", equals("Standard"), path="guard/posture/containers"),
    Requirement(27, _REGISTRY, "quarantine_policy_enabled", _TRUE),
    Requirement(
        27,
        _GRANT,
        "role_definition_name",
        equals("AcrQuarantineWriter"),
        path="registry/pipeline-acrquarantinewriter",
    ),
    # Who pushes an image must not be able to let it out of quarantine.
    Requirement(27, _GRANT, "role_definition_name", equals("AcrPush"), path="registry/ci-deploy-*"),
    Requirement(27, "output", "value.by_platform", says("signature and scan are checked")),
)

_SECRET = "azurerm_key_vault_secret"  # noqa: S105 - a type of resource
_SECRETS = (
    *(
        Requirement(28, _SECRET, setting, must, path=f"secrets/{name}")
        for name in ("site-secret", "audit-signing-key")
        for setting, must in (
            ("value", absent()),
            ("value_wo", matches(r"\$\{ephemeral\..+\.result\}")),
            ("key_vault_id", refers_to(_VAULT)),
        )
    ),
    *(
        Requirement(28, _GRANT, setting, must, path=f"secrets/{name}-read")
        for name in ("site-secret", "audit-signing-key")
        for setting, must in (
            ("role_definition_name", equals("Key Vault Secrets User")),
            ("scope", matches(rf"\$\{{{_SECRET}\..+\.resource_versionless_id\}}")),
            ("principal_id", matches(rf"\$\{{{_IDENTITY}\.identity_pipeline_.+\}}")),
        )
    ),
)

_COMPUTE = (
    Requirement(29, _WORKSPACE, "high_business_impact", _TRUE),
    Requirement(29, _WORKSPACE, "public_network_access_enabled", _FALSE),
    Requirement(29, _WORKSPACE, "storage_account_access_type", equals("Identity")),
    Requirement(29, _WORKSPACE, "v1_legacy_mode_enabled", _FALSE),
    Requirement(29, _WORKSPACE, "primary_user_assigned_identity", refers_to(_IDENTITY)),
    *(
        Requirement(29, _CLUSTER, setting, must)
        for setting, must in (
            ("node_public_ip_enabled", _FALSE),
            ("ssh_public_access_enabled", _FALSE),
            ("local_auth_enabled", _FALSE),
            ("ssh", absent()),
            ("scale_settings.min_node_count", equals(0)),
            ("identity.identity_ids.*", matches(rf"\$\{{{_IDENTITY}\.identity_training_.+\.id\}}")),
        )
    ),
    *(
        Requirement(29, _NOTEBOOK, setting, must, least=0)
        for setting, must in (
            ("node_public_ip_enabled", _FALSE),
            ("local_auth_enabled", _FALSE),
            ("ssh", absent()),
        )
    ),
    *(
        Requirement(29, _AKS, setting, must, least=0)
        for setting, must in (
            ("private_cluster_enabled", _TRUE),
            ("private_cluster_public_fqdn_enabled", _FALSE),
            ("local_account_disabled", _TRUE),
            ("run_command_enabled", _FALSE),
            ("role_based_access_control_enabled", _TRUE),
            ("azure_active_directory_role_based_access_control.azure_rbac_enabled", _TRUE),
            ("azure_policy_enabled", _TRUE),
            ("workload_identity_enabled", _TRUE),
            ("oidc_issuer_enabled", _TRUE),
            ("disk_encryption_set_id", refers_to("azurerm_disk_encryption_set")),
            ("key_management_service.key_vault_key_id", refers_to(_KEY)),
            ("key_management_service.key_vault_network_access", equals("Private")),
            ("microsoft_defender.log_analytics_workspace_id", refers_to(_LOG_WORKSPACE)),
            ("network_profile.network_policy", one_of("cilium", "calico", "azure")),
            ("network_profile.outbound_type", equals("userAssignedNATGateway")),
            ("default_node_pool.node_public_ip_enabled", _FALSE),
            ("default_node_pool.host_encryption_enabled", _TRUE),
        )
    ),
    *(
        Requirement(29, _NODES, setting, must, least=0)
        for setting, must in (
            ("min_count", equals(0)),
            ("node_public_ip_enabled", _FALSE),
            ("host_encryption_enabled", _TRUE),
            ("node_taints", contains("nvidia.com/gpu=present:NoSchedule")),
        )
    ),
    Requirement(30, _WORKSPACE, "encryption.key_id", refers_to(_KEY)),
    Requirement(30, _WORKSPACE, "encryption.user_assigned_identity_id", refers_to(_IDENTITY)),
    Requirement(30, _WORKSPACE, "service_side_encryption_enabled", _TRUE),
    Requirement(
        30,
        "azurerm_machine_learning_datastore_blobstorage",
        "storage_container_id",
        refers_to(_CONTAINER),
        path="compute/models-datastore",
    ),
    *(
        Requirement(30, "azurerm_machine_learning_datastore_blobstorage", setting, absent(), least=2)
        for setting in ("account_key", "shared_access_signature")
    ),
    Requirement(30, _LOGS, "enabled_log", _categories("ModelsChangeEvent"), path="workspace/logs"),
    Requirement(30, "output", "value.by_platform", says("Model versions are registered")),
    Requirement(31, "output", "value.endpoint_bounds", bounded()),
    Requirement(31, "output", "value.settings.autoscale.metric", present()),
    Requirement(31, "output", "value.settings.autoscale.out_above", at_most(80)),
    Requirement(31, "output", "value.by_platform", says("autoscale setting of each")),
    Requirement(31, _GRANT, "role_definition_id", matches(r".*_scaler-role_.*"), path="serving/scale"),
    Requirement(
        31,
        _ROLE,
        "permissions.*.actions",
        contains("Microsoft.Insights/AutoscaleSettings/Write"),
        path="identity/scaler-role",
    ),
)

_COPY = "azurerm_storage_object_replication"
_KEPT = (
    *(
        Requirement(32, _COPY, setting, must, path=f"storage/{bucket}-replication")
        for bucket in ("data", "models")
        for setting, must in (
            ("source_storage_account_id", matches(rf"\$\{{{_ACCOUNT}\.storage_{bucket}_account_.+\}}")),
            (
                "destination_storage_account_id",
                matches(rf"\$\{{{_ACCOUNT}\.storage_{bucket}-copy_account_.+\}}"),
            ),
            ("rules.*.copy_blobs_created_after", equals("Everything")),
            ("rules.*.filter_out_blobs_with_prefix", absent()),
        )
    ),
    *(
        Requirement(
            32,
            _ACCOUNT,
            "resource_group_name",
            matches(r"\$\{azurerm_resource_group\.replica_.+\.name\}"),
            path=f"storage/{bucket}-copy/account",
        )
        for bucket in ("data", "models")
    ),
    Requirement(32, _ACCOUNT, "account_replication_type", one_of("ZRS", "GZRS", "RAGZRS"), least=7),
    Requirement(32, _REGISTRY, "georeplications.*.location", present()),
    Requirement(33, "terraform.backend", "use_azuread_auth", _TRUE),
    Requirement(33, "terraform.backend", "container_name", present()),
    Requirement(33, "terraform.backend", "storage_account_name", present()),
    Requirement(33, "terraform.backend", "tenant_id", present()),
    Requirement(33, "terraform.backend", "access_key", absent()),
    Requirement(33, "terraform.backend", "sas_token", absent()),
    Requirement(
        34,
        "azurerm_consumption_budget_resource_group",
        "resource_group_id",
        refers_to("azurerm_resource_group"),
        path="guard/budget",
    ),
    *(
        Requirement(34, "azurerm_consumption_budget_resource_group", setting, must)
        for setting, must in (
            ("amount", at_least(1)),
            ("time_grain", equals("Monthly")),
            ("notification.*.enabled", _TRUE),
            ("notification.*.threshold", at_most(100)),
            ("notification.*.contact_emails", present()),
        )
    ),
    Requirement(35, "azurerm_management_lock", "lock_level", one_of("CanNotDelete", "ReadOnly"), least=11),
    *(
        Requirement(35, "azurerm_management_lock", "scope", refers_to(kind), path=f"guard/{name}-lock")
        for name, kind in {
            "keys": _VAULT,
            "copy-keys": _VAULT,
            "data": _ACCOUNT,
            "models": _ACCOUNT,
            "audit": _ACCOUNT,
            "logs": _ACCOUNT,
            "workspace": _WORKSPACE,
            "registry": _REGISTRY,
            "log-workspace": _LOG_WORKSPACE,
        }.items()
    ),
    *(
        Requirement(35, kind, "lifecycle.prevent_destroy", _TRUE, least=least)
        for kind, least in {
            _ACCOUNT: 7,
            _CONTAINER: 8,
            _VAULT: 3,
            _KEY: 5,
            _SECRET: 2,
            _WORKSPACE: 1,
            _REGISTRY: 1,
            _LOG_WORKSPACE: 1,
            "azurerm_resource_group": 2,
        }.items()
    ),
)

REQUIREMENTS: tuple[Requirement, ...] = (
    *_KEYS,
    *_STORAGE,
    *_AUDIT,
    *_ALARMS,
    *_POSTURE,
    *_NETWORK,
    *_IDENTITIES,
    *_IMAGES,
    *_SECRETS,
    *_COMPUTE,
    *_KEPT,
)
