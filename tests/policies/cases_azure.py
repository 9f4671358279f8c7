"""A passing and a failing document of each rule for Azure."""

from policies.case import GONE, Case
from policies.cases_aws import LABELS, NEVER

ACCOUNT = {
    "infrastructure_encryption_enabled": True,
    "blob_properties": {"versioning_enabled": True, "delete_retention_policy": {"days": 30}},
    "public_network_access_enabled": False,
    "allow_nested_items_to_be_public": False,
    "network_rules": {"default_action": "Deny"},
    "https_traffic_only_enabled": True,
    "min_tls_version": "TLS1_2",
    "shared_access_key_enabled": False,
    "local_user_enabled": False,
    "default_to_oauth_authentication": True,
    "cross_tenant_replication_enabled": False,
    "allowed_copy_scope": "PrivateLink",
}
BLOBS = "${azurerm_storage_account.x.id}/blobServices/default"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000000"
LOGS = ({"category": "StorageRead"}, {"category": "StorageWrite"}, {"category": "StorageDelete"})
ACTIVITY = ({"category": "Administrative"}, {"category": "Security"}, {"category": "Policy"})
RULE = {"access": "Allow", "direction": "Outbound", "destination_address_prefix": "10.0.0.0/8"}
DENY_ALL = {
    "access": "Deny",
    "direction": "Outbound",
    "destination_address_prefix": "*",
    "destination_port_range": "*",
    "protocol": "*",
}
CLUSTER_RULE = {
    "access": "Allow",
    "direction": "Inbound",
    "destination_address_prefix": "10.42.64.0/19",
    "destination_port_range": "*",
    "protocol": "*",
}
GROUP = {"azurerm_resource_group": {"location": "westeurope"}}
NETWORK = {"outbound_type": "none", "network_policy": "cilium"}

CASES = (
    Case(
        "azure/vault_premium",
        "azurerm_key_vault",
        {"sku_name": "premium", "purge_protection_enabled": True, "soft_delete_retention_days": 90},
        {"sku_name": "standard", "purge_protection_enabled": False, "soft_delete_retention_days": 7},
    ),
    Case(
        "azure/vault_closed",
        "azurerm_key_vault",
        {
            "public_network_access_enabled": False,
            "rbac_authorization_enabled": True,
            "network_acls": {"default_action": "Deny"},
        },
        {
            "public_network_access_enabled": True,
            "rbac_authorization_enabled": False,
            "network_acls.default_action": "Allow",
            "access_policy": [{"object_id": "x"}],
            "enabled_for_deployment": True,
        },
    ),
    Case(
        "azure/key_hsm_rotated",
        "azurerm_key_vault_key",
        {"key_type": "RSA-HSM", "rotation_policy": {"automatic": {"time_before_expiry": "P30D"}}},
        {"key_type": "RSA", "rotation_policy": GONE},
    ),
    Case(
        "azure/storage_cmk",
        "azurerm_storage_account",
        {"name": "a"},
        beside={"azurerm_storage_account_customer_managed_key": {"storage_account_id": "@"}},
    ),
    Case(
        "azure/storage_cmk",
        "azurerm_storage_account",
        {"customer_managed_key": {"key_vault_key_id": "key"}},
        {"customer_managed_key": GONE},
    ),
    Case(
        "azure/storage_infrastructure_encryption",
        "azurerm_storage_account",
        ACCOUNT,
        {"infrastructure_encryption_enabled": False},
    ),
    Case(
        "azure/storage_versioning",
        "azurerm_storage_account",
        ACCOUNT,
        {
            "blob_properties.versioning_enabled": False,
            "blob_properties.delete_retention_policy": GONE,
            "blob_properties.delete_retention_policy.permanent_delete_enabled": True,
        },
    ),
    Case(
        "azure/immutability_locked",
        "azurerm_storage_container_immutability_policy",
        {"locked": True, "immutability_period_in_days": 2557},
        {"locked": False, "immutability_period_in_days": 365},
    ),
    Case(
        "azure/storage_private",
        "azurerm_storage_account",
        ACCOUNT,
        {
            "public_network_access_enabled": True,
            "allow_nested_items_to_be_public": True,
            "network_rules.default_action": "Allow",
        },
    ),
    Case(
        "azure/container_private",
        "azurerm_storage_container",
        {"container_access_type": "private"},
        {"container_access_type": "blob"},
    ),
    Case(
        "azure/storage_tls",
        "azurerm_storage_account",
        ACCOUNT,
        {"https_traffic_only_enabled": False, "min_tls_version": "TLS1_0"},
    ),
    Case(
        "azure/storage_keyless",
        "azurerm_storage_account",
        ACCOUNT,
        {
            "shared_access_key_enabled": True,
            "local_user_enabled": True,
            "sftp_enabled": True,
            "default_to_oauth_authentication": False,
        },
    ),
    Case(
        "azure/provider_oauth",
        "provider.azurerm",
        {
            "storage_use_azuread": True,
            "features": {"key_vault": {"purge_soft_delete_on_destroy": False}},
        },
        {
            "storage_use_azuread": False,
            "features.key_vault.purge_soft_delete_on_destroy": True,
        },
    ),
    Case(
        "azure/storage_copies",
        "azurerm_storage_account",
        ACCOUNT,
        {"cross_tenant_replication_enabled": True, "allowed_copy_scope": GONE},
    ),
    Case(
        "azure/diagnostics_named",
        "azurerm_monitor_diagnostic_setting",
        {"enabled_log": [*LOGS], "log_analytics_workspace_id": "w"},
        {"enabled_log": [], "log_analytics_workspace_id": GONE},
    ),
    Case(
        "azure/diagnostics_storage",
        "azurerm_monitor_diagnostic_setting",
        {"target_resource_id": BLOBS, "enabled_log": [*LOGS]},
        {"enabled_log": [*LOGS[1:]]},
    ),
    Case(
        "azure/diagnostics_subscription",
        "azurerm_monitor_diagnostic_setting",
        {"target_resource_id": SUBSCRIPTION, "enabled_log": [*ACTIVITY]},
        {"enabled_log": [*ACTIVITY[:2]]},
    ),
    Case(
        "azure/workspace_closed",
        "azurerm_log_analytics_workspace",
        {"local_authentication_enabled": False, "retention_in_days": 730},
        {"local_authentication_enabled": True, "retention_in_days": 30},
    ),
    Case(
        "azure/log_export",
        "azurerm_log_analytics_data_export_rule",
        {"enabled": True, "table_names": ["AzureActivity"]},
        {"enabled": False, "table_names": []},
    ),
    Case(
        "azure/alerts_notify",
        "azurerm_monitor_scheduled_query_rules_alert_v2",
        {"action": {"action_groups": ["g"]}},
        {"action": GONE, "enabled": False},
    ),
    Case(
        "azure/action_group_receives",
        "azurerm_monitor_action_group",
        {"email_receiver": [{"email_address": "a@b.example"}]},
        {"email_receiver": [], "enabled": False},
    ),
    Case(
        "azure/defender_standard",
        "azurerm_security_center_subscription_pricing",
        {"tier": "Standard"},
        {"tier": "Free"},
    ),
    Case(
        "azure/policy_enforced",
        "azurerm_subscription_policy_assignment",
        {"enforce": True},
        {"enforce": False},
    ),
    Case(
        "azure/tags",
        "azurerm_resource_group",
        {"tags": LABELS},
        {"tags.data-classification": GONE, "tags": GONE},
    ),
    Case(
        "azure/insights_closed",
        "azurerm_application_insights",
        {
            "internet_ingestion_enabled": False,
            "internet_query_enabled": False,
            "local_authentication_enabled": False,
        },
        {
            "internet_ingestion_enabled": True,
            "internet_query_enabled": True,
            "local_authentication_enabled": GONE,
        },
    ),
    Case(
        "azure/disk_key_rotation",
        "azurerm_disk_encryption_set",
        {"auto_key_rotation_enabled": True},
        {"auto_key_rotation_enabled": False},
    ),
    Case(
        "azure/security_contact",
        "azurerm_security_center_contact",
        {"email": "a@b.example", "alert_notifications": True},
        {"email": GONE, "alert_notifications": False},
    ),
    Case(
        "azure/peering_narrow",
        "azurerm_virtual_network_peering",
        {"allow_forwarded_traffic": False},
        {"allow_forwarded_traffic": True, "allow_gateway_transit": True, "use_remote_gateways": True},
    ),
    Case("azure/no_internet", "azurerm_nat_gateway", None, NEVER),
    Case(
        "azure/subnet_outbound",
        "azurerm_subnet",
        {"default_outbound_access_enabled": False},
        {"default_outbound_access_enabled": GONE},
    ),
    Case(
        "azure/subnet_group",
        "azurerm_subnet",
        {"name": "s"},
        beside={"azurerm_subnet_network_security_group_association": {"subnet_id": "@"}},
    ),
    Case(
        "azure/flow_log_on",
        "azurerm_network_watcher_flow_log",
        {"enabled": True, "retention_policy": {"enabled": True, "days": 90}},
        {"enabled": False, "retention_policy.days": 7, "retention_policy.enabled": False},
    ),
    Case(
        "azure/endpoint_dns",
        "azurerm_private_endpoint",
        {"private_dns_zone_group": {"private_dns_zone_ids": ["z"]}},
        {"private_dns_zone_group": GONE, "private_service_connection": {"is_manual_connection": True}},
    ),
    Case(
        "azure/open_outbound",
        "azurerm_network_security_rule",
        RULE,
        {
            "destination_address_prefix": "Internet",
            "": {"access": "Allow", "direction": "Outbound", "destination_address_prefixes": ["0.0.0.0/0"]},
        },
    ),
    Case(
        "azure/open_outbound",
        "azurerm_network_security_group",
        {"security_rule": [RULE]},
        {"security_rule.0.destination_address_prefix": "*"},
    ),
    Case(
        "azure/open_inbound",
        "azurerm_network_security_rule",
        {"access": "Allow", "direction": "Inbound", "source_address_prefix": "VirtualNetwork"},
        {"source_address_prefix": "*"},
    ),
    Case(
        "azure/deny_outbound",
        "azurerm_network_security_group",
        {"name": "n"},
        beside={"azurerm_network_security_rule": {**DENY_ALL, "network_security_group_name": "@"}},
        bad_beside={
            "azurerm_network_security_rule": {
                **DENY_ALL,
                "protocol": "Tcp",
                "network_security_group_name": "@",
            }
        },
    ),
    Case(
        "azure/perimeter_enforced",
        "azurerm_network_security_perimeter_association",
        {"access_mode": "Enforced"},
        {"access_mode": "Learning"},
    ),
    Case(
        "azure/strong_roles",
        "azurerm_role_assignment",
        {"role_definition_name": "Storage Blob Data Reader"},
        {
            "role_definition_name": "Owner",
            "": {"role_definition_id": "/x/8e3af657-a8ff-443c-a75c-2fe8c4bcb635"},
        },
    ),
    Case(
        "azure/role_wildcards",
        "azurerm_role_definition",
        {"permissions": [{"actions": ["Microsoft.MachineLearningServices/workspaces/read"]}]},
        {"permissions.0.actions": ["*"], "permissions.0.data_actions": ["*"]},
    ),
    Case(
        "azure/oidc_subject",
        "azurerm_federated_identity_credential",
        {
            "issuer": "https://token.actions.githubusercontent.com",
            "subject": "repo:hospital/isocenter:environment:production",
            "audience": ["api://AzureADTokenExchange"],
        },
        {"subject": "repo:hospital/*", "audience": ["any"], "issuer": GONE},
    ),
    Case("azure/no_passwords", "azuread_application_password", None, NEVER),
    Case(
        "azure/registry_closed",
        "azurerm_container_registry",
        {
            "sku": "Premium",
            "encryption": {"key_vault_key_id": "key"},
            "public_network_access_enabled": False,
            "admin_enabled": False,
            "anonymous_pull_enabled": False,
        },
        {
            "sku": "Standard",
            "encryption": GONE,
            "public_network_access_enabled": True,
            "admin_enabled": True,
            "anonymous_pull_enabled": True,
            "network_rule_bypass_for_tasks_enabled": True,
        },
    ),
    Case(
        "azure/registry_export",
        "azurerm_container_registry",
        {"export_policy_enabled": False},
        {"export_policy_enabled": True},
    ),
    Case(
        "azure/ml_managed_network",
        "azurerm_machine_learning_workspace",
        {"managed_network": {"isolation_mode": "AllowOnlyApprovedOutbound"}},
        {"managed_network.isolation_mode": "AllowInternetOutbound", "managed_network": GONE},
    ),
    Case(
        "azure/ml_workspace_key",
        "azurerm_machine_learning_workspace",
        {
            "encryption": {"key_id": "key"},
            "public_network_access_enabled": False,
            "high_business_impact": True,
        },
        {
            "encryption": GONE,
            "public_network_access_enabled": True,
            "high_business_impact": False,
            "v1_legacy_mode_enabled": True,
        },
    ),
    Case(
        "azure/ml_storage_identity",
        "azurerm_machine_learning_workspace",
        {"storage_account_access_type": "Identity"},
        {"storage_account_access_type": "AccessKey"},
    ),
    Case(
        "azure/ml_compute_closed",
        "azurerm_machine_learning_compute_cluster",
        {"node_public_ip_enabled": False, "local_auth_enabled": False},
        {"node_public_ip_enabled": True, "local_auth_enabled": True, "ssh_public_access_enabled": True},
    ),
    Case(
        "azure/ml_compute_zero",
        "azurerm_machine_learning_compute_cluster",
        {"scale_settings": {"min_node_count": 0}},
        {"scale_settings.min_node_count": 1},
    ),
    Case(
        "azure/aks_private",
        "azurerm_kubernetes_cluster",
        {"private_cluster_enabled": True, "run_command_enabled": False},
        {
            "private_cluster_enabled": False,
            "run_command_enabled": True,
            "private_cluster_public_fqdn_enabled": True,
        },
    ),
    Case(
        "azure/aks_identity",
        "azurerm_kubernetes_cluster",
        {
            "azure_active_directory_role_based_access_control": {"azure_rbac_enabled": True},
            "local_account_disabled": True,
            "oidc_issuer_enabled": True,
            "workload_identity_enabled": True,
        },
        {
            "azure_active_directory_role_based_access_control": GONE,
            "local_account_disabled": False,
            "oidc_issuer_enabled": False,
            "workload_identity_enabled": False,
        },
    ),
    Case(
        "azure/aks_egress",
        "azurerm_kubernetes_cluster",
        {"network_profile": NETWORK},
        {"network_profile.outbound_type": "loadBalancer", "network_profile.network_policy": GONE},
    ),
    Case(
        "azure/node_disks",
        "azurerm_kubernetes_cluster",
        {"disk_encryption_set_id": "d", "default_node_pool": {"host_encryption_enabled": True}},
        {"disk_encryption_set_id": GONE, "default_node_pool.host_encryption_enabled": False},
    ),
    Case(
        "azure/node_disks",
        "azurerm_kubernetes_cluster_node_pool",
        {"host_encryption_enabled": True},
        {"host_encryption_enabled": False, "node_public_ip_enabled": True},
    ),
    Case(
        "azure/autoscale_bounds",
        "azurerm_monitor_autoscale_setting",
        {"profile": [{"capacity": {"minimum": 1, "maximum": 4}}]},
        {"profile.0.capacity.minimum": 0, "profile.0.capacity.maximum": 1, "enabled": False},
    ),
    Case(
        "azure/budget_notifies",
        "azurerm_consumption_budget_resource_group",
        {"notification": [{"threshold": 80, "contact_emails": ["a@b.example"]}]},
        {"notification": [], "notification.0.threshold": 100, "notification.0.contact_emails": []},
    ),
    Case(
        "azure/lock_level",
        "azurerm_management_lock",
        {"lock_level": "CanNotDelete"},
        {"lock_level": "NotSpecified"},
    ),
    Case(
        "azure/management_lock",
        "azurerm_key_vault",
        {"name": "v"},
        beside={"azurerm_management_lock": {"scope": "@"}},
    ),
    Case(
        "azure/prevent_destroy",
        "azurerm_key_vault_key",
        {"lifecycle": {"prevent_destroy": True}},
        {"lifecycle": GONE},
    ),
    Case("azure/storage_no_nfs", "azurerm_storage_account", ACCOUNT, {"nfsv3_enabled": True}),
    Case(
        "azure/storage_firewall_own",
        "azurerm_storage_account",
        {
            "network_rules": {
                "private_link_access": [
                    {"endpoint_resource_id": "${azurerm_machine_learning_workspace.w.id}"},
                ]
            }
        },
        {
            "network_rules.private_link_access.0.endpoint_resource_id": "/subscriptions/x/workspaces/y",
            "network_rules.private_link_access.0.endpoint_tenant_id": "other",
        },
    ),
    Case(
        "azure/storage_firewall_own",
        "azurerm_storage_account_network_rules",
        {"default_action": "Deny"},
        {"private_link_access": [{"endpoint_resource_id": "${data.azurerm_x.y.id}"}]},
    ),
    Case(
        "azure/storage_cors",
        "azurerm_storage_account",
        {"blob_properties": {"cors_rule": [{"allowed_origins": ["https://viewer.hospital.example"]}]}},
        {
            "blob_properties.cors_rule.0.allowed_origins": ["*"],
            "share_properties": {"cors_rule": [{"allowed_origins": ["https://a.example", "https://*"]}]},
        },
    ),
    Case(
        "azure/storage_routing",
        "azurerm_storage_account",
        {"routing": {"choice": "MicrosoftRouting"}},
        {"routing.publish_internet_endpoints": True, "routing.choice": "InternetRouting"},
    ),
    Case(
        "azure/storage_signed_links",
        "azurerm_storage_account",
        {"sas_policy": {"expiration_action": "Block", "expiration_period": "00.01:00:00"}},
        {
            "sas_policy": GONE,
            "sas_policy.expiration_action": "Log",
            "sas_policy.expiration_period": "07.00:00:00",
        },
    ),
    Case("azure/storage_website", "azurerm_storage_account", ACCOUNT, {"static_website": {}}),
    Case("azure/storage_website", "azurerm_storage_account_static_website", None, NEVER),
    Case(
        "azure/versions_kept",
        "azurerm_storage_management_policy",
        {"rule": [{"actions": {"version": {"delete_after_days_since_creation": 90}}}]},
        {"rule.0.actions.version.delete_after_days_since_creation": 1},
    ),
    Case(
        "azure/rule_named",
        "azurerm_network_security_rule",
        {**RULE, "protocol": "Tcp", "destination_port_range": "443"},
        {
            "protocol": "*",
            "destination_port_range": "*",
            "destination_port_ranges": ["443", "0-65535"],
        },
    ),
    Case(
        "azure/rule_named",
        "azurerm_network_security_rule",
        {**CLUSTER_RULE, "source_address_prefixes": ["10.42.64.0/19", "172.24.0.0/14"]},
        {"source_address_prefixes": ["10.42.0.0/19"]},
        beside={
            "azurerm_subnet": {"address_prefixes": ["10.42.64.0/19"]},
            "azurerm_kubernetes_cluster": {
                "network_profile": {"pod_cidr": "172.24.0.0/14"},
                "default_node_pool": {"vnet_subnet_id": "@azurerm_subnet"},
            },
        },
    ),
    Case(
        "azure/name_servers",
        "azurerm_virtual_network",
        {"dns_servers": ["10.42.0.4", "168.63.129.16"]},
        {"dns_servers": ["10.42.0.4", "8.8.8.8"]},
    ),
    Case(
        "azure/aks_publishes_nothing",
        "azurerm_kubernetes_cluster",
        {"web_app_routing": {"default_nginx_controller": "Internal"}},
        {"http_application_routing_enabled": True, "web_app_routing.default_nginx_controller": GONE},
    ),
    Case(
        "azure/aks_upgrades",
        "azurerm_kubernetes_cluster",
        {"automatic_upgrade_channel": "patch", "node_os_upgrade_channel": "NodeImage"},
        {"automatic_upgrade_channel": GONE, "node_os_upgrade_channel": "None"},
    ),
    Case(
        "azure/residency",
        "azurerm_container_registry",
        {"location": "North Europe", "georeplications": [{"location": "westeurope"}]},
        {"location": "eastus", "georeplications.0.location": "uksouth"},
        beside=GROUP,
        bad_beside=GROUP,
    ),
)
