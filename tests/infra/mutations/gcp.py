"""Changes to the Google Cloud stack. Parity catches ``MUTATIONS``; ``LEFT_TO_POLICY`` are for the scan."""

import json
from typing import Any

from infra.mutations import REMOVED, Mutation

_KEY, _KEY_USER = "google_kms_crypto_key", "google_kms_crypto_key_iam_member"
_BUCKET, _ACCESS = "google_storage_bucket", "google_storage_bucket_iam_policy"
_LOGS, _SINK = "google_logging_project_bucket_config", "google_logging_project_sink"
_RECORD, _ALARM = "google_project_iam_audit_config", "google_monitoring_alert_policy"
_METRIC, _CONTACT = "google_logging_metric", "google_monitoring_notification_channel"
_POLICY, _FIREWALL = "google_org_policy_policy", "google_compute_firewall"
_SUBNET, _NETWORK = "google_compute_subnetwork", "google_compute_network"
_PERIMETER = "google_access_context_manager_service_perimeter"
_ROLE, _GRANT = "google_project_iam_custom_role", "google_project_iam_member"
_ACCOUNT_GRANT, _TRUST = "google_service_account_iam_member", "google_iam_workload_identity_pool_provider"
_BREAK_GLASS, _DENY = "google_privileged_access_manager_entitlement", "google_iam_deny_policy"
_IMAGES, _ADMISSION = "google_artifact_registry_repository", "google_binary_authorization_policy"
_SECRET, _SECRET_GRANT = "google_secret_manager_secret", "google_secret_manager_secret_iam_member"
_NOTEBOOK, _CLUSTER = "google_workbench_instance", "google_container_cluster"
_NODES, _COPY = "google_container_node_pool", "google_storage_transfer_job"
_BUDGET = "google_billing_budget"
_DATA, _AUDIT = "storage/data/bucket", "audit/bucket/bucket"
_PROVIDER = "identity/github/provider"
_POOL = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p"
_REPOSITORY = "hospital-example/isocenter"


def _access(role: str, *members: str) -> str:
    return json.dumps({"bindings": [{"role": role, "members": list(members)}]})


def _policy(constraint: str, setting: str, value: Any, control: int) -> Mutation:
    return Mutation(control, _POLICY, f"audit/posture/{constraint.replace('.', '-')}", setting, value)


MUTATIONS: tuple[Mutation, ...] = (
    Mutation(1, _KEY, "keys/data/key", "rotation_period", REMOVED),
    Mutation(1, _KEY, "keys/data/key", "rotation_period", "315360000s"),
    Mutation(1, _KEY, "keys/audit/key", "version_template.protection_level", "SOFTWARE"),
    Mutation(1, _KEY, "keys/secrets/key", "version_template", REMOVED),
    Mutation(1, _KEY, "keys/secrets/key", "destroy_scheduled_duration", "86400s"),
    Mutation(1, _KEY, "keys/replica/key", "", REMOVED),
    Mutation(1, _KEY_USER, "keys/data/storage", "member", "allUsers"),
    Mutation(1, _KEY_USER, "keys/data/storage", "member", "user:someone@example.com"),
    Mutation(1, _KEY_USER, "keys/audit/pubsub", "role", "roles/cloudkms.admin"),
    Mutation(2, _BUCKET, _DATA, "encryption", REMOVED),
    Mutation(2, _BUCKET, _DATA, "encryption.default_kms_key_name", REMOVED),
    Mutation(2, _BUCKET, "storage/logs/bucket", "encryption.default_kms_key_name", "projects/other/key"),
    Mutation(
        2,
        _BUCKET,
        "storage/models/bucket",
        "encryption.google_managed_encryption_enforcement_config.restriction_mode",
        "NotRestricted",
    ),
    _policy("gcp.restrictNonCmekServices", "spec.rules.0.values.denied_values", ["pubsub.googleapis.com"], 2),
    Mutation(3, _BUCKET, _DATA, "versioning.enabled", False),
    Mutation(3, _BUCKET, "storage/models-copy/bucket", "versioning", REMOVED),
    Mutation(3, _BUCKET, _DATA, "soft_delete_policy.retention_duration_seconds", 0),
    Mutation(4, _BUCKET, _AUDIT, "retention_policy.is_locked", False),
    Mutation(4, _BUCKET, _AUDIT, "retention_policy.retention_period", "31536000"),
    Mutation(4, _BUCKET, _AUDIT, "retention_policy", REMOVED),
    Mutation(5, _BUCKET, _DATA, "public_access_prevention", "inherited"),
    Mutation(5, _BUCKET, _DATA, "public_access_prevention", REMOVED),
    Mutation(
        5, _ACCESS, "identity/access/data", "policy_data", _access("roles/storage.objectViewer", "allUsers")
    ),
    Mutation(5, "google_storage_bucket_iam_member", "identity/access/state-plan", "member", "allUsers"),
    _policy("storage.publicAccessPrevention", "spec.rules.0.enforce", "FALSE", 5),
    _policy("storage.publicAccessPrevention", "spec.inherit_from_parent", True, 5),
    _policy("storage.publicAccessPrevention", "spec.rules.0.condition", {"expression": "false"}, 5),
    _policy("storage.secureHttpTransport", "", REMOVED, 6),
    _policy("gcp.restrictTLSVersion", "spec.rules.0.values.denied_values", ["TLS_VERSION_1"], 6),
    Mutation(6, "google_compute_ssl_policy", "network/tls", "min_tls_version", "TLS_1_0"),
    Mutation(6, "google_compute_ssl_policy", "network/tls", "profile", "COMPATIBLE"),
    Mutation(7, _BUCKET, _DATA, "uniform_bucket_level_access", False),
    Mutation(7, _BUCKET, _AUDIT, "uniform_bucket_level_access", REMOVED),
    Mutation(
        7,
        _ACCESS,
        "identity/access/models",
        "policy_data",
        _access("roles/storage.legacyObjectReader", "projectViewer:hospital-imaging-prod"),
    ),
    _policy("storage.restrictAuthTypes", "spec.rules.0.values", REMOVED, 7),
    Mutation(8, _BUCKET, _DATA, "logging", REMOVED),
    Mutation(8, _BUCKET, _AUDIT, "logging", REMOVED),
    Mutation(8, _ACCESS, "identity/access/logs", "policy_data", _access("roles/storage.objectViewer", "x")),
    Mutation(9, _RECORD, "audit/record", "", REMOVED),
    Mutation(9, _RECORD, "audit/record", "service", "storage.googleapis.com"),
    Mutation(9, _RECORD, "audit/record", "audit_log_config.0", {"log_type": "DATA_READ"}),
    Mutation(10, _RECORD, "audit/record", "audit_log_config", [{"log_type": "ADMIN_READ"}]),
    Mutation(
        10,
        _RECORD,
        "audit/record",
        "audit_log_config.1",
        {"log_type": "DATA_READ", "exempted_members": ["user:someone@example.com"]},
    ),
    _policy("gcp.detailedAuditLoggingMode", "spec.rules.0.enforce", "FALSE", 10),
    Mutation(11, _LOGS, "audit/log-bucket", "retention_days", 365),
    Mutation(11, _LOGS, "audit/log-bucket", "locked", False),
    Mutation(11, _LOGS, "audit/log-bucket", "cmek_settings", REMOVED),
    Mutation(11, _SINK, "audit/archive", "", REMOVED),
    Mutation(11, _SINK, "audit/archive", "destination", "storage.googleapis.com/elsewhere"),
    Mutation(11, _SINK, "audit/archive", "filter", "severity>=ERROR"),
    Mutation(
        11,
        _SINK,
        "audit/archive",
        "filter",
        'logName:"cloudaudit.googleapis.com" OR logName:"x" AND severity>=ERROR',
    ),
    Mutation(11, _SINK, "audit/search", "disabled", True),
    Mutation(
        11, _SINK, "audit/search", "exclusions", [{"name": "quiet", "filter": "resource.type=gcs_bucket"}]
    ),
    Mutation(12, _LOGS, "audit/log-bucket", "locked", REMOVED),
    Mutation(
        12,
        _ACCESS,
        "identity/access/audit",
        "policy_data",
        _access("roles/storage.objectAdmin", "user:someone@example.com"),
    ),
    Mutation(13, _ALARM, "audit/unauthorized-alarm", "", REMOVED),
    Mutation(13, _ALARM, "audit/unauthorized-alarm", "enabled", False),
    Mutation(13, _ALARM, "audit/bucket-opened-alarm", "notification_channels", []),
    Mutation(
        13,
        _ALARM,
        "audit/network-changed-alarm",
        "conditions.0.condition_matched_log.filter",
        'protoPayload.methodName="never"',
    ),
    Mutation(13, _METRIC, "audit/unauthorized-metric", "filter", "severity=EMERGENCY"),
    Mutation(13, _METRIC, "audit/logging-changed-metric", "disabled", True),
    Mutation(13, _CONTACT, "audit/contact", "enabled", False),
    Mutation(13, _CONTACT, "audit/contact", "labels", {}),
    Mutation(14, "google_scc_v2_project_notification_config", "audit/threats/notification", "", REMOVED),
    Mutation(
        14,
        "google_scc_v2_project_notification_config",
        "audit/threats/notification",
        "streaming_config.filter",
        'severity="LOW"',
    ),
    Mutation(14, "google_pubsub_topic", "audit/threats/findings/topic", "kms_key_name", REMOVED),
    Mutation(14, _ALARM, "audit/threats/alarm", "conditions.0.condition_threshold.threshold_value", 1000),
    _policy("gcp.resourceLocations", "spec.rules.0.values.allowed_values", ["in:us-locations"], 15),
    _policy("gcp.resourceLocations", "spec.rules.0", {"allow_all": "TRUE"}, 15),
    _policy("compute.requireOsLogin", "", REMOVED, 15),
    _policy("iam.automaticIamGrantsForDefaultServiceAccounts", "spec.rules.0.enforce", "FALSE", 15),
    Mutation(15, "google_cloud_asset_project_feed", "audit/posture/feed", "asset_types", []),
    Mutation(16, _NETWORK, "network/vpc", "auto_create_subnetworks", True),
    Mutation(16, _NETWORK, "network/vpc", "delete_default_routes_on_create", False),
    Mutation(16, _SUBNET, "network/subnet", "stack_type", "IPV4_IPV6"),
    _policy("compute.vmExternalIpAccess", "spec.rules.0", {"allow_all": "TRUE"}, 16),
    _policy("compute.restrictCloudNATUsage", "", REMOVED, 16),
    _policy("compute.skipDefaultNetworkCreation", "spec.rules.0.enforce", "FALSE", 16),
    Mutation(17, _SUBNET, "network/subnet", "log_config", REMOVED),
    Mutation(17, _SUBNET, "network/subnet", "log_config.flow_sampling", 0.05),
    Mutation(17, _SUBNET, "network/subnet", "log_config.filter_expr", "false"),
    Mutation(17, _FIREWALL, "network/firewall/deny-egress", "log_config", REMOVED),
    Mutation(17, "google_dns_policy", "network/google/dns", "enable_logging", False),
    Mutation(18, _SUBNET, "network/subnet", "private_ip_google_access", False),
    Mutation(18, "google_compute_global_forwarding_rule", "network/google/endpoint", "target", "all-apis"),
    Mutation(18, "google_dns_managed_zone", "network/google/googleapis-com", "visibility", "public"),
    Mutation(18, "google_dns_record_set", "network/google/googleapis-com-a", "rrdatas", ["8.8.8.8"]),
    Mutation(
        18,
        "google_service_networking_vpc_service_controls",
        "network/google/vertex-perimeter",
        "enabled",
        False,
    ),
    Mutation(19, _PERIMETER, "guard/perimeter/perimeter", "", REMOVED),
    Mutation(19, _PERIMETER, "guard/perimeter/perimeter", "status.restricted_services", []),
    Mutation(
        19, _PERIMETER, "guard/perimeter/perimeter", "status.restricted_services", ["compute.googleapis.com"]
    ),
    Mutation(19, _PERIMETER, "guard/perimeter/perimeter", "status.resources", []),
    Mutation(
        19,
        _PERIMETER,
        "guard/perimeter/perimeter",
        "status.vpc_accessible_services.enable_restriction",
        False,
    ),
    Mutation(
        19,
        _PERIMETER,
        "guard/perimeter/perimeter",
        "status.egress_policies",
        [{"egress_from": {"identity_type": "ANY_IDENTITY"}}],
    ),
    Mutation(
        19,
        _PERIMETER,
        "guard/perimeter/perimeter",
        "status.ingress_policies.0.ingress_from",
        {"identity_type": "ANY_IDENTITY"},
    ),
    Mutation(19, _PERIMETER, "guard/perimeter/perimeter", "use_explicit_dry_run_spec", True),
    Mutation(20, _FIREWALL, "network/firewall/deny-egress", "", REMOVED),
    Mutation(20, _FIREWALL, "network/firewall/deny-egress", "disabled", True),
    Mutation(20, _FIREWALL, "network/firewall/deny-egress", "destination_ranges", ["10.0.0.0/8"]),
    Mutation(20, _FIREWALL, "network/firewall/deny-egress", "target_tags", ["some"]),
    Mutation(20, _FIREWALL, "network/firewall/to-google", "destination_ranges", ["0.0.0.0/0"]),
    Mutation(20, _FIREWALL, "network/firewall/to-google", "allow.0.ports", REMOVED),
    Mutation(20, _FIREWALL, "network/firewall/to-inside", "destination_ranges", ["0.0.0.0/0"]),
    Mutation(20, _FIREWALL, "network/firewall/from-inside", "source_ranges", ["203.0.113.0/24"]),
    Mutation(20, _FIREWALL, "network/firewall/deny-ingress", "deny.0.protocol", "udp"),
    Mutation(21, _GRANT, "identity/training-logging-logwriter", "role", "roles/editor"),
    Mutation(21, _GRANT, "identity/training-logging-logwriter", "role", "roles/storage.admin"),
    Mutation(21, _GRANT, "identity/ci-deploy-dns-admin", "role", "roles/owner"),
    Mutation(21, _GRANT, "identity/ci-deploy-dns-admin", "role", "roles/secretmanager.secretAccessor"),
    Mutation(21, _GRANT, "identity/pipeline-own", "role", "roles/aiplatform.admin"),
    Mutation(21, _GRANT, "identity/auditor-cloudkms-viewer", "member", "allAuthenticatedUsers"),
    Mutation(21, _ROLE, "identity/ci-plan-role", "permissions", ["storage.objects.get"]),
    Mutation(21, _ROLE, "identity/ci-plan-role", "permissions", ["storage.buckets.update"]),
    Mutation(21, _ROLE, "identity/ci-deploy-role", "permissions", ["secretmanager.versions.access"]),
    Mutation(
        21,
        _ACCESS,
        "identity/access/data",
        "policy_data",
        _access("roles/storage.objectUser", "user:someone@example.com"),
    ),
    Mutation(21, _ACCOUNT_GRANT, "identity/pipeline-uses-training", "role", "roles/iam.serviceAccountAdmin"),
    _policy("iam.disableServiceAccountKeyCreation", "spec.rules.0.enforce", "FALSE", 21),
    Mutation(22, _TRUST, _PROVIDER, "attribute_condition", REMOVED),
    Mutation(22, _TRUST, _PROVIDER, "attribute_condition", f'assertion.repository == "{_REPOSITORY}"'),
    Mutation(22, _TRUST, _PROVIDER, "attribute_condition", 'assertion.repository.startsWith("hospital")'),
    Mutation(
        22,
        _TRUST,
        _PROVIDER,
        "attribute_condition",
        f'assertion.repository == "{_REPOSITORY}" && assertion.sub in'
        ' ["repo:evil/repo:pull_request", "repo:evil/repo:environment:production"]',
    ),
    Mutation(22, _TRUST, _PROVIDER, "oidc.issuer_uri", "https://token.example.com"),
    Mutation(22, _TRUST, _PROVIDER, "oidc.allowed_audiences", ["https://github.com/hospital-example"]),
    Mutation(
        22,
        _ACCOUNT_GRANT,
        "identity/github/ci-deploy",
        "member",
        f"{_POOL}/subject/repo:{_REPOSITORY}:ref:refs/heads/*",
    ),
    Mutation(
        22,
        _ACCOUNT_GRANT,
        "identity/github/ci-deploy",
        "member",
        f"principalSet{_POOL.removeprefix('principal')}/attribute.repository/{_REPOSITORY}",
    ),
    Mutation(
        22,
        _ACCOUNT_GRANT,
        "identity/github/ci-plan",
        "member",
        f"{_POOL}/subject/repo:{_REPOSITORY}:environment:production",
    ),
    _policy(
        "iam.workloadIdentityPoolProviders",
        "spec.rules.0.values.allowed_values",
        ["https://token.actions.githubusercontent.com", "https://gitlab.com"],
        22,
    ),
    Mutation(23, _GRANT, "identity/auditor-logging-privatelogviewer", "", REMOVED),
    Mutation(23, _GRANT, "identity/auditor-compute-viewer", "role", "roles/compute.networkUser"),
    Mutation(24, _BREAK_GLASS, "identity/break-glass", "", REMOVED),
    Mutation(24, _BREAK_GLASS, "identity/break-glass", "max_request_duration", "604800s"),
    Mutation(24, _BREAK_GLASS, "identity/break-glass", "approval_workflow", REMOVED),
    Mutation(
        24, _BREAK_GLASS, "identity/break-glass", "requester_justification_config", {"not_mandatory": {}}
    ),
    Mutation(
        24,
        _BREAK_GLASS,
        "identity/break-glass",
        "privileged_access.gcp_iam_access.role_bindings.0.role",
        "roles/owner",
    ),
    Mutation(24, _ALARM, "audit/break-glass-alarm", "", REMOVED),
    Mutation(25, _IMAGES, "registry/images", "docker_config.immutable_tags", False),
    Mutation(25, _IMAGES, "registry/images", "docker_config", REMOVED),
    Mutation(25, _IMAGES, "registry/models", "kms_key_name", REMOVED),
    Mutation(
        25,
        "google_artifact_registry_repository_iam_member",
        "registry/training-images",
        "member",
        "allUsers",
    ),
    Mutation(26, _IMAGES, "registry/images", "vulnerability_scanning_config.enablement_config", "DISABLED"),
    Mutation(
        27, _ADMISSION, "registry/admission/policy", "default_admission_rule.evaluation_mode", "ALWAYS_ALLOW"
    ),
    Mutation(
        27,
        _ADMISSION,
        "registry/admission/policy",
        "default_admission_rule.enforcement_mode",
        "DRYRUN_AUDIT_LOG_ONLY",
    ),
    Mutation(
        27,
        _ADMISSION,
        "registry/admission/policy",
        "admission_whitelist_patterns",
        [{"name_pattern": "docker.io/**"}],
    ),
    Mutation(27, _ADMISSION, "registry/admission/policy", "", REMOVED),
    Mutation(
        28,
        _SECRET,
        "secrets/site-secret",
        "replication.user_managed.replicas.0.customer_managed_encryption",
        REMOVED,
    ),
    Mutation(28, _SECRET, "secrets/site-secret", "replication", {"auto": {}}),
    Mutation(28, _SECRET, "secrets/audit-signing-key", "rotation", REMOVED),
    Mutation(28, _SECRET, "secrets/site-secret", "version_destroy_ttl", REMOVED),
    Mutation(28, _SECRET, "secrets/site-secret", "ttl", "3600s"),
    Mutation(28, _SECRET_GRANT, "secrets/site-secret-reader", "member", "group:all@hospital.example"),
    Mutation(28, _DENY, "guard/deny", "rules.0.deny_rule.exception_principals", ["a", "b"]),
    Mutation(28, _DENY, "guard/deny", "", REMOVED),
    Mutation(29, _NOTEBOOK, "compute/notebook/instance", "gce_setup.disable_public_ip", False),
    Mutation(29, _NOTEBOOK, "compute/notebook/instance", "gce_setup.boot_disk.kms_key", REMOVED),
    Mutation(29, _NOTEBOOK, "compute/notebook/instance", "gce_setup.metadata", {}),
    Mutation(
        29,
        _NOTEBOOK,
        "compute/notebook/instance",
        "gce_setup.shielded_instance_config.enable_secure_boot",
        False,
    ),
    Mutation(29, _CLUSTER, "kubernetes/cluster", "private_cluster_config.enable_private_endpoint", False),
    Mutation(29, _CLUSTER, "kubernetes/cluster", "private_cluster_config.enable_private_nodes", False),
    Mutation(29, _CLUSTER, "kubernetes/cluster", "database_encryption", REMOVED),
    Mutation(29, _CLUSTER, "kubernetes/cluster", "binary_authorization.evaluation_mode", "DISABLED"),
    Mutation(29, _CLUSTER, "kubernetes/cluster", "workload_identity_config", REMOVED),
    Mutation(29, _CLUSTER, "kubernetes/cluster", "enable_legacy_abac", True),
    Mutation(
        29,
        _CLUSTER,
        "kubernetes/cluster",
        "master_authorized_networks_config.cidr_blocks.0.cidr_block",
        "0.0.0.0/0",
    ),
    Mutation(
        29, _NODES, "kubernetes/system/pool", "node_config.workload_metadata_config.mode", "GCE_METADATA"
    ),
    Mutation(29, _NODES, "kubernetes/gpu-*/pool", "node_config.boot_disk_kms_key", REMOVED),
    Mutation(29, _NODES, "kubernetes/gpu-*/pool", "autoscaling.total_min_node_count", 2),
    Mutation(29, _NODES, "kubernetes/system/pool", "node_config.service_account", "default"),
    _policy("ainotebooks.restrictPublicIp", "spec.rules.0.enforce", "FALSE", 29),
    Mutation(30, _IMAGES, "registry/models", "", REMOVED),
    Mutation(30, _IMAGES, "registry/models", "docker_config.immutable_tags", False),
    Mutation(31, "output", "", "value.endpoint_bounds", REMOVED),
    Mutation(31, "output", "", "value.endpoint_bounds.chest-xray.max_instances", 0),
    Mutation(31, _ROLE, "identity/pipeline-role", "permissions", ["aiplatform.endpoints.deploy"]),
    Mutation(
        31,
        _ALARM,
        "serving/errors",
        "conditions.0.condition_threshold.filter",
        'resource.type="aiplatform.googleapis.com/Endpoint" AND resource.label.endpoint_id="1"',
    ),
    Mutation(32, _COPY, "guard/copies/data", "", REMOVED),
    Mutation(32, _COPY, "guard/copies/data", "status", "DISABLED"),
    Mutation(
        32,
        _COPY,
        "guard/copies/data",
        "transfer_spec.transfer_options.delete_objects_unique_in_sink",
        True,
    ),
    Mutation(
        32,
        _COPY,
        "guard/copies/models",
        "transfer_spec.object_conditions",
        {"exclude_prefixes": ["patients/"]},
    ),
    Mutation(32, _COPY, "guard/copies/models", "schedule.schedule_end_date", {"year": 2025}),
    Mutation(33, "terraform.backend", "", "kms_encryption_key", REMOVED),
    Mutation(33, "terraform.backend", "", "bucket", "somebody-elses-bucket"),
    Mutation(34, _BUDGET, "guard/budget", "", REMOVED),
    Mutation(34, _BUDGET, "guard/budget", "threshold_rules", [{"threshold_percent": 10}]),
    Mutation(34, _BUDGET, "guard/budget", "all_updates_rule", REMOVED),
    Mutation(35, _BUCKET, _DATA, "lifecycle.prevent_destroy", False),
    Mutation(35, _BUCKET, _DATA, "force_destroy", True),
    Mutation(35, _BUCKET, _AUDIT, "deletion_policy", "DELETE"),
    Mutation(35, _KEY, "keys/data/key", "lifecycle", REMOVED),
    Mutation(35, _RECORD, "audit/record", "lifecycle", REMOVED),
    Mutation(35, _SINK, "audit/archive", "deletion_policy", "ABANDON"),
    Mutation(35, _SECRET, "secrets/site-secret", "deletion_protection", False),
    Mutation(35, _CLUSTER, "kubernetes/cluster", "deletion_protection", False),
    Mutation(35, "google_resource_manager_lien", "guard/lien", "", REMOVED),
    Mutation(35, _DENY, "guard/deny", "rules.1.deny_rule.denied_permissions", []),
    Mutation(35, _DENY, "guard/deny", "rules.1.deny_rule.exception_principals", ["principalSet://x"]),
)

# What parity doesn't state, as it is no setting of a control's but bad all the same.
LEFT_TO_POLICY: tuple[Mutation, ...] = (
    Mutation(5, _BUCKET, _DATA, "website", {"main_page_suffix": "index.html"}),
    Mutation(5, _BUCKET, _DATA, "cors", [{"origin": ["*"], "method": ["GET"]}]),
    Mutation(32, _BUCKET, "storage/data-copy/bucket", "location", "us-east1"),
    Mutation(1, "google_kms_key_ring", "keys/ring", "location", "global"),
    Mutation(28, _SECRET, "secrets/site-secret", "replication.user_managed.replicas.1.location", "us-east1"),
    Mutation(3, _BUCKET, _DATA, "lifecycle_rule.1.condition.days_since_noncurrent_time", 0),
    Mutation(
        13, _ALARM, "audit/unauthorized-alarm", "alert_strategy.notification_rate_limit.period", "86400s"
    ),
    Mutation(29, _CLUSTER, "kubernetes/cluster", "release_channel.channel", "UNSPECIFIED"),
    Mutation(29, _CLUSTER, "kubernetes/cluster", "security_posture_config.mode", "DISABLED"),
    Mutation(29, _NODES, "kubernetes/system/pool", "node_config.image_type", "UBUNTU_CONTAINERD"),
    Mutation(
        30,
        "google_artifact_registry_repository_iam_member",
        "registry/training-images",
        "role",
        "roles/artifactregistry.writer",
    ),
    Mutation(16, _NETWORK, "network/vpc", "routing_mode", "GLOBAL"),
    Mutation(
        18,
        "google_dns_policy",
        "network/google/dns",
        "alternative_name_server_config",
        {"target_name_servers": [{"ipv4_address": "8.8.8.8"}]},
    ),
)
