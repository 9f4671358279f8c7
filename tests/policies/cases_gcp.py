"""A passing and a failing document of each rule for Google Cloud."""

from policies.case import GONE, Case
from policies.cases_aws import LABELS, NEVER

SIX_YEARS_S = 2192 * 86400
BUCKET = {
    "name": "data",
    "encryption": {"default_kms_key_name": "key"},
    "versioning": {"enabled": True},
    "retention_policy": {"is_locked": True, "retention_period": SIX_YEARS_S},
    "uniform_bucket_level_access": True,
    "public_access_prevention": "enforced",
    "logging": {"log_bucket": "logs"},
    "force_destroy": False,
}
HELD = [
    f"{s}.googleapis.com" for s in ("storage", "aiplatform", "artifactregistry", "secretmanager", "cloudkms")
]
POOL = "iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci"
ADMITTED = {"evaluation_mode": "REQUIRE_ATTESTATION", "enforcement_mode": "ENFORCED_BLOCK_AND_AUDIT_LOG"}
KEYED = {"encryption_spec": {"kms_key_name": "key"}}
DENY_ALL = {
    "direction": "EGRESS",
    "deny": [{"protocol": "all"}],
    "destination_ranges": ["0.0.0.0/0"],
}
CONDITION = "assertion.repository == 'hospital/isocenter' && assertion.ref == 'refs/heads/main'"

CASES = (
    Case(
        "gcp/kms_hsm",
        "google_kms_crypto_key",
        {"version_template": {"protection_level": "HSM", "algorithm": "x"}},
        {"version_template.protection_level": "SOFTWARE", "version_template": GONE},
    ),
    Case(
        "gcp/kms_destroy_delay",
        "google_kms_crypto_key",
        {"destroy_scheduled_duration": "2592000s"},
        {"destroy_scheduled_duration": "86400s"},
    ),
    Case(
        "gcp/kms_rotation",
        "google_kms_crypto_key",
        {"rotation_period": "7776000s"},
        {"rotation_period": "63072001s", "": {"name": "k"}},
    ),
    Case("gcp/bucket_cmek", "google_storage_bucket", BUCKET, {"encryption": GONE}),
    Case(
        "gcp/bucket_versioning",
        "google_storage_bucket",
        {"versioning": {"enabled": True}},
        {"versioning.enabled": False},
    ),
    Case("gcp/retention_locked", "google_storage_bucket", BUCKET, {"retention_policy.is_locked": False}),
    Case(
        "gcp/bucket_closed",
        "google_storage_bucket",
        BUCKET,
        {"uniform_bucket_level_access": False, "public_access_prevention": "inherited"},
    ),
    Case(
        "gcp/tls_version",
        "google_compute_ssl_policy",
        {"min_tls_version": "TLS_1_2", "profile": "RESTRICTED"},
        {"min_tls_version": "TLS_1_0", "profile": "COMPATIBLE"},
    ),
    Case(
        "gcp/no_public_members",
        "google_storage_bucket_iam_member",
        {"member": "group:a@b.example", "role": "r"},
        {"member": "allUsers", "": {"members": ["user:x", "allAuthenticatedUsers"]}},
    ),
    Case("gcp/bucket_logging", "google_storage_bucket", BUCKET, {"logging": GONE}),
    Case(
        "gcp/audit_config",
        "google_project_iam_audit_config",
        {
            "service": "allServices",
            "audit_log_config": [
                {"log_type": "ADMIN_READ"},
                {"log_type": "DATA_READ"},
                {"log_type": "DATA_WRITE"},
            ],
        },
        {
            "service": "storage.googleapis.com",
            "audit_log_config.1.log_type": "ADMIN_READ",
            "audit_log_config.2": {"log_type": "DATA_WRITE", "exempted_members": ["user:a"]},
        },
    ),
    Case(
        "gcp/log_bucket_locked",
        "google_logging_project_bucket_config",
        {"locked": True, "retention_days": 2557},
        {"locked": False, "retention_days": 30},
    ),
    Case(
        "gcp/log_bucket_cmek",
        "google_logging_project_bucket_config",
        {"cmek_settings": {"kms_key_name": "key"}},
        {"cmek_settings": GONE},
    ),
    Case(
        "gcp/audit_bucket_retention",
        "google_storage_bucket",
        {**BUCKET, "name": "x-audit"},
        {"retention_policy.retention_period": 86400, "retention_policy": GONE},
    ),
    Case(
        "gcp/sink_complete",
        "google_logging_project_sink",
        {"destination": "d"},
        {
            "disabled": True,
            "exclusions": [{"name": "x", "filter": "y"}],
            "unique_writer_identity": False,
        },
    ),
    Case(
        "gcp/alert_notifies",
        "google_monitoring_alert_policy",
        {"notification_channels": ["c"]},
        {"notification_channels": [], "enabled": False},
    ),
    Case(
        "gcp/threat_findings",
        "google_scc_v2_project_notification_config",
        {"pubsub_topic": "t", "streaming_config": {"filter": "f"}},
        {"pubsub_topic": GONE},
    ),
    Case(
        "gcp/org_policy_enforced",
        "google_org_policy_policy",
        {"spec": {"rules": [{"enforce": "TRUE"}]}},
        {"spec.rules.0.enforce": "FALSE", "spec.rules.0": {"allow_all": "TRUE"}},
    ),
    Case(
        "gcp/network_closed",
        "google_compute_network",
        {"auto_create_subnetworks": False, "delete_default_routes_on_create": True},
        {"auto_create_subnetworks": True, "delete_default_routes_on_create": False},
    ),
    Case("gcp/no_internet", "google_compute_router_nat", None, NEVER),
    Case(
        "gcp/no_internet",
        "google_compute_address",
        {"address_type": "INTERNAL"},
        {"address_type": "EXTERNAL"},
    ),
    Case(
        "gcp/no_internet",
        "google_compute_route",
        {"dest_range": "199.36.153.4/30"},
        {"next_hop_gateway": "default-internet-gateway"},
    ),
    Case(
        "gcp/flow_logs",
        "google_compute_subnetwork",
        {"private_ip_google_access": True, "log_config": {"flow_sampling": 1}},
        {"private_ip_google_access": False, "log_config.flow_sampling": 0.1, "log_config": GONE},
    ),
    Case(
        "gcp/private_google_apis",
        "google_compute_global_forwarding_rule",
        {"target": "vpc-sc"},
        {"target": "all-apis"},
    ),
    Case(
        "gcp/service_perimeter",
        "google_access_context_manager_service_perimeter",
        {"status": {"restricted_services": HELD, "vpc_accessible_services": {"enable_restriction": True}}},
        {
            "status.vpc_accessible_services.enable_restriction": False,
            "status.restricted_services": HELD[1:],
            "": {"spec": {"restricted_services": HELD}},
        },
    ),
    Case(
        "gcp/perimeter_identities",
        "google_access_context_manager_service_perimeter",
        {"status": {"ingress_policies": [{"ingress_from": {"identities": ["user:a"]}}]}},
        {"status.ingress_policies.0.ingress_from.identity_type": "ANY_IDENTITY"},
    ),
    Case(
        "gcp/open_egress",
        "google_compute_firewall",
        {"direction": "EGRESS", "allow": [{"protocol": "tcp"}], "destination_ranges": ["10.0.0.0/8"]},
        {"destination_ranges": ["0.0.0.0/0"], "": {"direction": "EGRESS", "allow": [{"protocol": "tcp"}]}},
    ),
    Case(
        "gcp/open_ingress",
        "google_compute_firewall",
        {"allow": [{"protocol": "tcp"}], "source_ranges": ["10.0.0.0/8"]},
        {"source_ranges": ["0.0.0.0/0"]},
    ),
    Case(
        "gcp/deny_egress",
        "google_compute_network",
        {"name": "n"},
        beside={"google_compute_firewall": {**DENY_ALL, "network": "@"}},
        bad_beside={"google_compute_firewall": {"network": "@", "allow": [{"protocol": "tcp"}]}},
    ),
    Case(
        "gcp/firewall_deny_all",
        "google_compute_firewall",
        DENY_ALL,
        {
            "deny.0.protocol": "tcp",
            "destination_ranges": ["8.8.8.8/32"],
            "disabled": True,
        },
    ),
    Case(
        "gcp/basic_roles",
        "google_project_iam_member",
        {"role": "roles/viewer", "member": "group:x"},
        {"role": "roles/owner", "": {"role": "roles/editor", "member": "user:x"}},
    ),
    Case(
        "gcp/storage_roles",
        "google_project_iam_member",
        {"role": "roles/logging.viewer"},
        {"role": "roles/storage.objectAdmin"},
    ),
    Case(
        "gcp/custom_role_wildcards",
        "google_project_iam_custom_role",
        {"permissions": ["storage.objects.get"]},
        {"permissions": ["resourcemanager.projects.setIamPolicy"]},
    ),
    Case("gcp/no_account_keys", "google_service_account_key", None, NEVER),
    Case(
        "gcp/oidc_condition",
        "google_iam_workload_identity_pool_provider",
        {"oidc": {"issuer_uri": "https://x"}, "attribute_condition": CONDITION},
        {
            "attribute_condition": GONE,
            "": {
                "oidc": {"issuer_uri": "x"},
                "attribute_condition": "assertion.repository.startsWith('hospital/')",
            },
        },
    ),
    Case(
        "gcp/oidc_members",
        "google_service_account_iam_member",
        {"member": f"principal://{POOL}/subject/repo:hospital/isocenter:environment:production"},
        {"member": f"principalSet://{POOL}/*"},
    ),
    Case(
        "gcp/auditor_read_only",
        "google_project_iam_member",
        {"member": "group:auditors@b.example", "role": "roles/iam.securityReviewer"},
        {"role": "roles/storage.admin"},
    ),
    Case(
        "gcp/registry_immutable",
        "google_artifact_registry_repository",
        {"format": "DOCKER", "docker_config": {"immutable_tags": True}, "kms_key_name": "key"},
        {"docker_config.immutable_tags": False, "kms_key_name": GONE},
    ),
    Case(
        "gcp/registry_scanning",
        "google_artifact_registry_repository",
        {"format": "DOCKER", "vulnerability_scanning_config": {"enablement_config": "INHERITED"}},
        {"vulnerability_scanning_config.enablement_config": "DISABLED"},
    ),
    Case(
        "gcp/binary_authorization",
        "google_binary_authorization_policy",
        {"default_admission_rule": ADMITTED},
        {
            "default_admission_rule.evaluation_mode": "ALWAYS_ALLOW",
            "default_admission_rule.enforcement_mode": "DRYRUN_AUDIT_LOG_ONLY",
        },
    ),
    Case(
        "gcp/secret_cmek",
        "google_secret_manager_secret",
        {
            "replication": {
                "user_managed": {"replicas": [{"customer_managed_encryption": {"kms_key_name": "key"}}]}
            }
        },
        {
            "replication": {"auto": {}},
            "replication.user_managed.replicas.0": {"location": "europe-west4"},
        },
    ),
    Case(
        "gcp/vertex_private",
        "google_vertex_ai_endpoint",
        {**KEYED, "network": "n"},
        {"network": GONE, "encryption_spec": GONE},
    ),
    Case("gcp/vertex_key", "google_vertex_ai_metadata_store", KEYED, {"encryption_spec": GONE}),
    Case(
        "gcp/workbench_private",
        "google_workbench_instance",
        {
            "gce_setup": {
                "disable_public_ip": True,
                "boot_disk": {"kms_key": "key"},
                "shielded_instance_config": {"enable_secure_boot": True},
            }
        },
        {
            "gce_setup.disable_public_ip": False,
            "gce_setup.boot_disk.kms_key": GONE,
            "gce_setup.shielded_instance_config.enable_secure_boot": False,
            "gce_setup.enable_ip_forwarding": True,
        },
    ),
    Case(
        "gcp/gke_private",
        "google_container_cluster",
        {"private_cluster_config": {"enable_private_nodes": True, "enable_private_endpoint": True}},
        {
            "private_cluster_config.enable_private_nodes": False,
            "private_cluster_config.enable_private_endpoint": False,
            "master_authorized_networks_config": {"gcp_public_cidrs_access_enabled": True},
        },
    ),
    Case(
        "gcp/gke_network_policy",
        "google_container_cluster",
        {"datapath_provider": "ADVANCED_DATAPATH"},
        {"datapath_provider": "LEGACY_DATAPATH"},
    ),
    Case(
        "gcp/gke_bindings",
        "google_container_cluster",
        {
            "rbac_binding_config": {
                "enable_insecure_binding_system_authenticated": False,
                "enable_insecure_binding_system_unauthenticated": False,
            }
        },
        {
            "rbac_binding_config": GONE,
            "rbac_binding_config.enable_insecure_binding_system_authenticated": True,
            "service_external_ips_config": {"enabled": True},
        },
    ),
    Case(
        "gcp/node_pool_private",
        "google_container_node_pool",
        {"network_config": {"enable_private_nodes": True}},
        {"network_config.enable_private_nodes": False},
    ),
    Case(
        "gcp/dns_logging",
        "google_dns_policy",
        {"enable_logging": True},
        {"enable_logging": False, "enable_inbound_forwarding": True},
    ),
    Case(
        "gcp/emergency_approval",
        "google_privileged_access_manager_entitlement",
        {
            "approval_workflow": {
                "manual_approvals": {
                    "require_approver_justification": True,
                    "steps": [{"approvers": {"principals": ["group:x"]}}],
                }
            }
        },
        {
            "approval_workflow": GONE,
            "approval_workflow.manual_approvals.require_approver_justification": False,
            "approval_workflow.manual_approvals.steps": [],
        },
    ),
    Case(
        "gcp/peering_perimeter",
        "google_service_networking_vpc_service_controls",
        {"enabled": True},
        {"enabled": False},
    ),
    Case(
        "gcp/gke_secrets",
        "google_container_cluster",
        {
            "database_encryption": {"state": "ENCRYPTED"},
            "workload_identity_config": {"workload_pool": "p"},
            "binary_authorization": {"evaluation_mode": "PROJECT_SINGLETON_POLICY_ENFORCE"},
        },
        {
            "database_encryption.state": "DECRYPTED",
            "workload_identity_config": GONE,
            "binary_authorization.evaluation_mode": "DISABLED",
        },
    ),
    Case(
        "gcp/node_disks",
        "google_container_node_pool",
        {
            "node_config": {
                "boot_disk_kms_key": "key",
                "shielded_instance_config": {"enable_secure_boot": True},
                "workload_metadata_config": {"mode": "GKE_METADATA"},
            }
        },
        {
            "node_config.boot_disk_kms_key": GONE,
            "node_config.shielded_instance_config.enable_secure_boot": False,
            "node_config.workload_metadata_config.mode": "GCE_METADATA",
        },
    ),
    Case(
        "gcp/deletion_protection",
        "google_container_cluster",
        {"deletion_protection": True},
        {"deletion_protection": False},
    ),
    Case(
        "gcp/transfer_keeps",
        "google_storage_transfer_job",
        {"status": "ENABLED", "transfer_spec": {"transfer_options": {"overwrite_when": "DIFFERENT"}}},
        {
            "status": "DISABLED",
            "transfer_spec.transfer_options.delete_objects_unique_in_sink": True,
        },
    ),
    Case(
        "gcp/pool_bounds",
        "google_vertex_ai_deployment_resource_pool",
        {"dedicated_resources": {"min_replica_count": 1, "max_replica_count": 4}},
        {"dedicated_resources.max_replica_count": 1},
    ),
    Case(
        "gcp/budget_notifies",
        "google_billing_budget",
        {
            "threshold_rules": [{"threshold_percent": 0.8}],
            "all_updates_rule": {
                "monitoring_notification_channels": ["c"],
                "disable_default_iam_recipients": True,
            },
        },
        {
            "threshold_rules": [{"threshold_percent": 1}],
            "all_updates_rule.monitoring_notification_channels": [],
        },
    ),
    Case(
        "gcp/project_lien",
        "google_resource_manager_lien",
        {"restrictions": ["resourcemanager.projects.delete"]},
        {"restrictions": ["other"]},
    ),
    Case(
        "gcp/prevent_destroy",
        "google_storage_bucket",
        {"lifecycle": {"prevent_destroy": True}},
        {"lifecycle": GONE},
    ),
    Case("gcp/no_forced_deletion", "google_storage_bucket", BUCKET, {"force_destroy": True}),
    Case(
        "gcp/default_labels",
        "provider.google",
        {"default_labels": LABELS},
        {"default_labels.cost-centre": GONE, "default_labels": GONE},
    ),
    Case("gcp/bucket_website", "google_storage_bucket", BUCKET, {"website": {"main_page_suffix": "a.html"}}),
    Case(
        "gcp/bucket_cors",
        "google_storage_bucket",
        {"cors": [{"origin": ["https://viewer.hospital.example"]}]},
        {"cors.0.origin": ["https://viewer.hospital.example", "*"]},
    ),
    Case(
        "gcp/residency",
        "google_storage_bucket",
        {"location": "EUROPE-WEST1"},
        {
            "location": "us-east1",
            "": {"location": "US"},
            "custom_placement_config": {"data_locations": ["europe-west1", "us-east1"]},
        },
    ),
    Case(
        "gcp/residency",
        "google_kms_key_ring",
        {"location": "europe-west4"},
        {"location": "global"},
    ),
    Case(
        "gcp/residency",
        "google_bigquery_dataset",
        {"location": "EU"},
        {"location": GONE},
    ),
    Case(
        "gcp/residency",
        "google_secret_manager_secret",
        {"replication": {"user_managed": {"replicas": [{"location": "europe-west4"}]}}},
        {"replication.user_managed.replicas.0.location": "us-east4"},
    ),
    Case(
        "gcp/residency",
        "google_workbench_instance",
        {"location": "europe-west4-b"},
        {"location": "us-east4-a"},
    ),
    Case(
        "gcp/versions_kept",
        "google_storage_bucket",
        {
            "lifecycle_rule": [
                {"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 7}},
                {"action": {"type": "Delete"}, "condition": {"age": 2562, "with_state": "LIVE"}},
                {"action": {"type": "Delete"}, "condition": {"days_since_noncurrent_time": 90}},
            ]
        },
        {
            "lifecycle_rule.1.condition.with_state": "ANY",
            "lifecycle_rule.2.condition.days_since_noncurrent_time": 0,
            "lifecycle_rule.2.condition": {"num_newer_versions": 3},
        },
    ),
    Case(
        "gcp/alert_rate",
        "google_monitoring_alert_policy",
        {"alert_strategy": {"notification_rate_limit": {"period": "300s"}}},
        {"alert_strategy.notification_rate_limit.period": "86400s"},
    ),
    Case(
        "gcp/gke_posture",
        "google_container_cluster",
        {"security_posture_config": {"mode": "BASIC"}},
        {"security_posture_config.mode": "DISABLED", "security_posture_config": GONE},
    ),
    Case(
        "gcp/gke_upgrades",
        "google_container_cluster",
        {"release_channel": {"channel": "REGULAR"}},
        {"release_channel.channel": "UNSPECIFIED", "release_channel": GONE},
    ),
    Case(
        "gcp/gke_upgrades",
        "google_container_node_pool",
        {"management": {"auto_upgrade": True}},
        {"management.auto_upgrade": False},
    ),
    Case(
        "gcp/node_image",
        "google_container_node_pool",
        {"node_config": {"image_type": "COS_CONTAINERD"}},
        {"node_config.image_type": "UBUNTU_CONTAINERD", "node_config": GONE},
    ),
    Case(
        "gcp/registry_writers",
        "google_artifact_registry_repository_iam_member",
        {
            "repository": "${google_artifact_registry_repository.registry_models_1.name}",
            "member": "${google_service_account.identity_pipeline_1.member}",
            "role": "roles/artifactregistry.writer",
        },
        {
            "member": "${google_service_account.identity_training_1.member}",
            "repository": "${google_artifact_registry_repository.registry_images_1.name}",
        },
    ),
    Case(
        "gcp/registry_writers",
        "google_project_iam_member",
        {
            "member": "${google_service_account.identity_ci-deploy_1.member}",
            "role": "roles/artifactregistry.admin",
        },
        {"member": "${google_service_account.kubernetes_nodes_1.member}"},
    ),
    Case(
        "gcp/network_regional",
        "google_compute_network",
        {"routing_mode": "REGIONAL"},
        {"routing_mode": "GLOBAL"},
    ),
    Case(
        "gcp/name_servers",
        "google_dns_policy",
        {"alternative_name_server_config": {"target_name_servers": [{"ipv4_address": "10.41.0.2"}]}},
        {"alternative_name_server_config.target_name_servers.0.ipv4_address": "8.8.8.8"},
    ),
)
