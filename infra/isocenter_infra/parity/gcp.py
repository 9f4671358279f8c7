"""The settings that make the controls true on Google Cloud."""

import json
from collections.abc import Iterable, Mapping, Sequence
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

_DAY_S = 86_400
_SIX_YEARS_DAYS = 2192
_TRUE, _FALSE = equals(True), equals(False)
_KEY, _BUCKET = refers_to("google_kms_crypto_key"), refers_to("google_storage_bucket")
_EVERYBODY = ("allUsers", "allAuthenticatedUsers")
_PROJECT_WIDE = ("projectViewer:", "projectEditor:", "projectOwner:")
_BASIC = ("roles/owner", "roles/editor", "roles/viewer")
# Roles with which one reads patient data or secrets, or gives oneself any other role.
_TOO_MUCH = (
    *_BASIC,
    "roles/storage.admin",
    "roles/storage.objectAdmin",
    "roles/storage.objectUser",
    "roles/storage.objectViewer",
    "roles/secretmanager.admin",
    "roles/secretmanager.secretAccessor",
    "roles/iam.securityAdmin",
    "roles/iam.serviceAccountTokenCreator",
    "roles/iam.serviceAccountKeyAdmin",
    "roles/iam.serviceAccountUser",
    "roles/resourcemanager.projectIamAdmin",
    "roles/cloudkms.cryptoKeyEncrypterDecrypter",
    "roles/cloudkms.cryptoKeyDecrypter",
)
_DATA_PERMISSIONS = (
    "storage.objects.get",
    "storage.objects.list",
    "storage.objects.create",
    "storage.objects.delete",
    "secretmanager.versions.access",
    "cloudkms.cryptoKeyVersions.useToDecrypt",
    "iam.serviceAccountKeys.create",
    "iam.serviceAccounts.getAccessToken",
)
_GITHUB = "https://token.actions.githubusercontent.com"
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"


def _bindings(text: Any) -> Sequence[Mapping[str, Any]]:
    try:
        found: Sequence[Mapping[str, Any]] = json.loads(text)["bindings"]
    except (TypeError, ValueError, KeyError):
        return ()
    return found


def _grants(role: str, *accounts: str, condition: str = "") -> Predicate:
    """A bucket's policy gives ``role`` to exactly these accounts, under this condition or none."""

    def holds(value: Any) -> bool:
        given = [binding for binding in _bindings(value) if binding["role"] == role]
        members = [member for binding in given for member in binding["members"]]
        conditions = {binding.get("condition", {}).get("expression", "") for binding in given}
        return (
            len(members) == len(accounts)
            and all(any(account in member for member in members) for account in accounts)
            and all((condition in found) if condition else not found for found in conditions)
        )

    return Predicate(f"give {role} to {', '.join(accounts) or 'nobody'} and nobody else", holds)


def _only_roles(*roles: str) -> Predicate:
    """A bucket's policy gives these roles and no other."""
    return Predicate(
        f"give {', '.join(roles)} and no other role",
        lambda v: {binding["role"] for binding in _bindings(v)} == set(roles),
    )


def _each(words: str, holds: Any) -> Predicate:
    return Predicate(words, lambda v: isinstance(v, list) and bool(v) and all(holds(item) for item in v))


def _log_type(log_type: str) -> Predicate:
    return Predicate(
        f"record {log_type}",
        lambda v: isinstance(v, list) and any(config.get("log_type") == log_type for config in v),
    )


def _denies(*permissions: str, exceptions: int) -> Predicate:
    """A deny policy has a rule for everybody, with so many exceptions."""

    def holds(value: Any) -> bool:
        rules = [item.get("deny_rule", {}) for item in value] if isinstance(value, list) else []
        return any(
            rule.get("denied_principals") == ["principalSet://goog/public:all"]
            and set(permissions) <= set(rule.get("denied_permissions", []))
            and len(rule.get("exception_principals", [])) <= exceptions
            and not rule.get("exception_permissions")
            and not rule.get("denial_condition")
            for rule in rules
        )

    return Predicate(f"deny everybody {', '.join(permissions)}", holds)


def _policy(control: int, constraint: str, setting: str, must: Predicate) -> Iterable[Requirement]:
    """An organisation policy on the project that holds whatever its parents say."""
    path = f"audit/posture/{constraint.replace('.', '-')}"
    kind = "google_org_policy_policy"
    named = matches(rf"projects/[a-z0-9-]+/policies/{constraint.replace('.', chr(92) + '.')}")
    yield Requirement(control, kind, "name", named, path=path)
    yield Requirement(control, kind, f"spec.rules.*.{setting}", must, path=path)
    yield Requirement(control, kind, "spec.rules.*.condition", absent(), path=path)
    yield Requirement(control, kind, "spec.inherit_from_parent", _FALSE, path=path)
    yield Requirement(control, kind, "spec.reset", absent(), path=path)


def _enforced(control: int, *constraints: str) -> Iterable[Requirement]:
    for constraint in constraints:
        yield from _policy(control, constraint, "enforce", equals("TRUE"))


def _kept(kind: str, least: int, path: str = "*", *, policy: bool = True) -> Iterable[Requirement]:
    """Neither Terraform nor the provider destroys these."""
    yield Requirement(35, kind, "lifecycle.prevent_destroy", _TRUE, path=path, least=least)
    if policy:
        yield Requirement(35, kind, "deletion_policy", equals("PREVENT"), path=path, least=least)


_KEYS = (
    Requirement(1, "google_kms_crypto_key", "rotation_period", at_most(90 * _DAY_S), path="keys/*", least=5),
    Requirement(1, "google_kms_crypto_key", "purpose", equals("ENCRYPT_DECRYPT"), path="keys/*", least=5),
    Requirement(1, "google_kms_crypto_key", "version_template.protection_level", equals("HSM"), least=6),
    Requirement(
        1,
        "google_kms_crypto_key",
        "destroy_scheduled_duration",
        at_least(30 * _DAY_S),
        path="keys/*",
        least=5,
    ),
    Requirement(
        1,
        "google_kms_crypto_key_iam_member",
        "role",
        equals("roles/cloudkms.cryptoKeyEncrypterDecrypter"),
        path="keys/*",
        least=9,
    ),
    Requirement(
        1,
        "google_kms_crypto_key_iam_member",
        "member",
        matches(
            r"serviceAccount:((service|project)-\d+@|\$\{data\.google_logging_project_cmek_settings\.).*"
        ),
        path="keys/*",
        least=9,
    ),
    Requirement(1, "google_kms_crypto_key_iam_member", "member", lacks(*_EVERYBODY), least=10),
)

_POLICIES = "google_storage_bucket_iam_policy"
_BUCKETS = (
    Requirement(2, "google_storage_bucket", "encryption.default_kms_key_name", _KEY, least=6),
    *(
        Requirement(
            2,
            "google_storage_bucket",
            f"encryption.{whose}_encryption_enforcement_config.restriction_mode",
            equals("FullyRestricted"),
            least=6,
        )
        for whose in ("google_managed", "customer_supplied")
    ),
    *_policy(2, "gcp.restrictNonCmekServices", "values.denied_values", contains("storage.googleapis.com")),
    *_policy(
        2,
        "gcp.restrictCmekCryptoKeyProjects",
        "values.allowed_values",
        _each("name this project", lambda v: v.startswith("projects/")),
    ),
    Requirement(3, "google_storage_bucket", "versioning.enabled", _TRUE, path="storage/*", least=5),
    Requirement(
        3,
        "google_storage_bucket",
        "soft_delete_policy.retention_duration_seconds",
        at_least(7 * _DAY_S),
        least=6,
    ),
    Requirement(4, "google_storage_bucket", "retention_policy.is_locked", _TRUE, path="audit/bucket/bucket"),
    Requirement(
        4,
        "google_storage_bucket",
        "retention_policy.retention_period",
        at_least(_SIX_YEARS_DAYS * _DAY_S),
        path="audit/bucket/bucket",
    ),
    Requirement(5, "google_storage_bucket", "public_access_prevention", equals("enforced"), least=6),
    Requirement(5, _POLICIES, "policy_data", lacks(*_EVERYBODY), least=6),
    Requirement(5, "google_storage_bucket_iam_member", "member", lacks(*_EVERYBODY), least=2),
    *_enforced(5, "storage.publicAccessPrevention"),
    *_enforced(6, "storage.secureHttpTransport"),
    *_policy(
        6, "gcp.restrictTLSVersion", "values.denied_values", contains("TLS_VERSION_1", "TLS_VERSION_1_1")
    ),
    Requirement(6, "google_compute_ssl_policy", "min_tls_version", one_of("TLS_1_2", "TLS_1_3")),
    Requirement(6, "google_compute_ssl_policy", "profile", equals("RESTRICTED")),
    Requirement(7, "google_storage_bucket", "uniform_bucket_level_access", _TRUE, least=6),
    Requirement(7, _POLICIES, "policy_data", lacks(*_PROJECT_WIDE), least=6),
    *_enforced(7, "storage.uniformBucketLevelAccess"),
    *_policy(7, "storage.restrictAuthTypes", "values.denied_values", contains("in:ALL_HMAC_SIGNED_REQUESTS")),
    *(
        Requirement(8, "google_storage_bucket", "logging.log_bucket", _BUCKET, path=path)
        for path in ("storage/data/bucket", "storage/models/bucket", "audit/bucket/bucket")
    ),
    Requirement(
        8,
        _POLICIES,
        "policy_data",
        _grants("roles/storage.objectCreator", "group:cloud-storage-analytics@google.com"),
        path="identity/access/logs",
    ),
)

_AUDIT_CONFIG, _SINK = "google_project_iam_audit_config", "google_logging_project_sink"
_LOG_BUCKET, _ALERT = "google_logging_project_bucket_config", "google_monitoring_alert_policy"
# What each alarm's filter must hold at the least.
_ALARMS: Mapping[str, Sequence[str]] = {
    "unauthorized": ("protoPayload.status.code=7",),
    "perimeter-violated": ("VpcServiceControlAuditMetadata",),
    "project-access-changed": ("cloudresourcemanager", "SetIamPolicy"),
    "audit-config-changed": ("auditConfigDeltas",),
    "role-changed": ("iam.googleapis.com", "UpdateRole"),
    "key-made": ("CreateServiceAccountKey",),
    "federation-changed": ("WorkloadIdentityPool",),
    "bucket-opened": ("storage.googleapis.com", "setIamPermissions", "buckets.update"),
    "encryption-key-changed": ("cloudkms", "DestroyCryptoKeyVersion", "UpdateCryptoKey"),
    "network-changed": ("firewalls.insert", "firewalls.patch", "routes.insert", "routers.insert"),
    "logging-changed": ("UpdateSink", "DeleteSink", "UpdateBucket", "CreateExclusion"),
    "policy-changed": ("orgpolicy", "UpdatePolicy", "DeletePolicy"),
    "secret-read": ("secretmanager", "AccessSecretVersion"),
    "image-forced": ("image-policy.k8s.io/break-glass",),
}


def _alarm(control: int, name: str, words: Sequence[str]) -> Iterable[Requirement]:
    matched = "conditions.*.condition_matched_log.filter"
    yield Requirement(
        control, "google_logging_metric", "filter", contains(*words), path=f"audit/{name}-metric"
    )
    yield Requirement(control, "google_logging_metric", "disabled", absent(), path=f"audit/{name}-metric")
    yield Requirement(control, _ALERT, matched, contains(*words), path=f"audit/{name}-alarm")


_AUDIT = (
    Requirement(9, _AUDIT_CONFIG, "service", equals("allServices")),
    Requirement(9, _AUDIT_CONFIG, "audit_log_config", _log_type("ADMIN_READ")),
    Requirement(9, _AUDIT_CONFIG, "audit_log_config.*.exempted_members", absent()),
    Requirement(10, _AUDIT_CONFIG, "audit_log_config", _log_type("DATA_READ")),
    Requirement(10, _AUDIT_CONFIG, "audit_log_config", _log_type("DATA_WRITE")),
    Requirement(10, _AUDIT_CONFIG, "audit_log_config.*.exempted_members", absent()),
    *_enforced(10, "gcp.detailedAuditLoggingMode"),
    Requirement(11, _LOG_BUCKET, "retention_days", at_least(_SIX_YEARS_DAYS), path="audit/log-bucket"),
    Requirement(11, _LOG_BUCKET, "locked", _TRUE, path="audit/log-bucket"),
    Requirement(11, _LOG_BUCKET, "cmek_settings.kms_key_name", _KEY, path="audit/log-bucket"),
    Requirement(
        11,
        "google_storage_bucket",
        "retention_policy.retention_period",
        at_least(_SIX_YEARS_DAYS * _DAY_S),
        path="audit/bucket/bucket",
    ),
    Requirement(
        11,
        _SINK,
        "destination",
        matches(r"storage\.googleapis\.com/\$\{google_storage_bucket\.audit_bucket_.*\}"),
        path="audit/archive",
    ),
    Requirement(
        11,
        _SINK,
        "destination",
        matches(r"logging\.googleapis\.com/\$\{google_logging_project_bucket_config\.audit_log-bucket_.*\}"),
        path="audit/search",
    ),
    Requirement(11, _SINK, "filter", matches(r'logName:"cloudaudit\.googleapis\.com"( OR .*)?'), least=2),
    Requirement(11, _SINK, "filter", lacks(" NOT ", " AND "), least=2),
    Requirement(11, _SINK, "exclusions", absent(), least=2),
    Requirement(11, _SINK, "disabled", absent(), least=2),
    Requirement(11, _SINK, "unique_writer_identity", _TRUE, least=2),
    Requirement(
        11,
        _POLICIES,
        "policy_data",
        _grants("roles/storage.objectCreator", "google_logging_project_sink.audit_archive_"),
        path="identity/access/audit",
    ),
    Requirement(12, _LOG_BUCKET, "locked", _TRUE, path="audit/log-bucket"),
    Requirement(12, "google_storage_bucket", "retention_policy.is_locked", _TRUE, path="audit/bucket/bucket"),
    # Nobody but the sink writes, and nobody deletes.
    Requirement(
        12,
        _POLICIES,
        "policy_data",
        _only_roles("roles/storage.objectCreator", "roles/storage.objectViewer"),
        path="identity/access/audit",
    ),
    *(requirement for name, words in _ALARMS.items() for requirement in _alarm(13, name, words)),
    Requirement(13, _ALERT, "enabled", _TRUE, least=16),
    Requirement(
        13,
        _ALERT,
        "notification_channels.*",
        refers_to("google_monitoring_notification_channel"),
        least=16,
    ),
    Requirement(13, "google_monitoring_notification_channel", "type", equals("email"), path="audit/contact"),
    Requirement(
        13,
        "google_monitoring_notification_channel",
        "labels.email_address",
        matches(r"[^@]+@[^@]+"),
        path="audit/contact",
    ),
    Requirement(13, "google_monitoring_notification_channel", "enabled", absent(), least=2),
    Requirement(
        14,
        "google_scc_v2_project_notification_config",
        "streaming_config.filter",
        contains('severity="HIGH"', 'severity="CRITICAL"', " OR "),
    ),
    Requirement(
        14,
        "google_scc_v2_project_notification_config",
        "pubsub_topic",
        refers_to("google_pubsub_topic"),
    ),
    Requirement(
        14,
        "google_pubsub_topic_iam_member",
        "member",
        matches(r"serviceAccount:\$\{google_scc_v2_project_notification_config\..*"),
        path="audit/threats/findings/scc",
    ),
    Requirement(
        14, _ALERT, "conditions.*.condition_threshold.threshold_value", at_most(0), path="audit/threats/alarm"
    ),
    Requirement(14, "google_pubsub_topic", "kms_key_name", _KEY, least=3),
    *_enforced(
        15,
        "compute.requireShieldedVm",
        "compute.requireOsLogin",
        "compute.disableSerialPortAccess",
        "compute.disableInternetNetworkEndpointGroup",
        "iam.automaticIamGrantsForDefaultServiceAccounts",
        "iam.disableServiceAccountKeyUpload",
    ),
    *_policy(
        15,
        "gcp.resourceLocations",
        "values.allowed_values",
        _each("be groups of a region each", matches(r"in:[a-z]+-[a-z]+\d+-locations").holds),
    ),
    Requirement(15, "google_cloud_asset_project_feed", "content_type", equals("RESOURCE")),
    Requirement(
        15,
        "google_cloud_asset_project_feed",
        "asset_types",
        contains(
            "storage.googleapis.com/Bucket",
            "cloudkms.googleapis.com/CryptoKey",
            "compute.googleapis.com/Firewall",
            "logging.googleapis.com/LogSink",
        ),
    ),
    Requirement(
        15,
        "google_cloud_asset_project_feed",
        "feed_output_config.pubsub_destination.topic",
        refers_to("google_pubsub_topic"),
    ),
    Requirement(
        15,
        "google_pubsub_topic",
        "message_storage_policy.allowed_persistence_regions",
        present(),
        least=3,
    ),
)

_FIREWALL, _PERIMETER = "google_compute_firewall", "google_access_context_manager_service_perimeter"
_SUBNET = "google_compute_subnetwork"
_WATCHED = tuple(
    f"{service}.googleapis.com"
    for service in (
        *("aiplatform", "artifactregistry", "bigquery", "cloudkms", "compute", "container", "logging"),
        *("notebooks", "pubsub", "secretmanager", "storage", "storagetransfer"),
    )
)


def _deny_everything(name: str, direction: str, ends: str) -> Iterable[Requirement]:
    path = f"network/firewall/{name}"
    yield Requirement(20, _FIREWALL, "direction", equals(direction), path=path)
    yield Requirement(20, _FIREWALL, ends, equals(["0.0.0.0/0"]), path=path)
    yield Requirement(20, _FIREWALL, "deny.*.protocol", equals("all"), path=path)
    yield Requirement(20, _FIREWALL, "deny.*.ports", absent(), path=path)
    yield Requirement(20, _FIREWALL, "allow", absent(), path=path)
    yield Requirement(20, _FIREWALL, "disabled", absent(), path=path)
    # Without targets it holds for every machine.
    for targets in ("target_tags", "target_service_accounts"):
        yield Requirement(20, _FIREWALL, targets, absent(), path=path)


_NETWORK = (
    Requirement(16, "google_compute_network", "auto_create_subnetworks", _FALSE),
    Requirement(16, "google_compute_network", "delete_default_routes_on_create", _TRUE),
    *_enforced(16, "compute.skipDefaultNetworkCreation", "compute.disableVpcExternalIpv6"),
    *_policy(16, "compute.vmExternalIpAccess", "deny_all", equals("TRUE")),
    *_policy(16, "compute.restrictCloudNATUsage", "deny_all", equals("TRUE")),
    *_policy(
        16,
        "compute.restrictLoadBalancerCreationForTypes",
        "values.allowed_values",
        equals(["in:INTERNAL"]),
    ),
    Requirement(16, _SUBNET, "stack_type", equals("IPV4_ONLY")),
    Requirement(17, _SUBNET, "log_config.flow_sampling", at_least(1)),
    Requirement(17, _SUBNET, "log_config.metadata", equals("INCLUDE_ALL_METADATA")),
    Requirement(17, _SUBNET, "log_config.aggregation_interval", equals("INTERVAL_5_SEC")),
    Requirement(17, _SUBNET, "log_config.filter_expr", absent()),
    Requirement(17, _FIREWALL, "log_config.metadata", equals("INCLUDE_ALL_METADATA"), least=5),
    Requirement(17, "google_dns_policy", "enable_logging", _TRUE),
    Requirement(18, _SUBNET, "private_ip_google_access", _TRUE),
    Requirement(
        18,
        "google_compute_global_address",
        "purpose",
        equals("PRIVATE_SERVICE_CONNECT"),
        path="network/google/address",
    ),
    Requirement(18, "google_compute_global_address", "address_type", equals("INTERNAL"), least=2),
    Requirement(18, "google_compute_global_forwarding_rule", "target", equals("vpc-sc")),
    Requirement(18, "google_compute_global_forwarding_rule", "network", refers_to("google_compute_network")),
    Requirement(
        18,
        "google_compute_global_forwarding_rule",
        "ip_address",
        refers_to("google_compute_global_address"),
    ),
    Requirement(18, "google_dns_managed_zone", "visibility", equals("private"), least=3),
    Requirement(
        18,
        "google_dns_managed_zone",
        "private_visibility_config.networks.*.network_url",
        refers_to("google_compute_network"),
        least=3,
    ),
    *(
        Requirement(
            18,
            "google_dns_record_set",
            "rrdatas.*",
            matches(r"(10|172|192|100)\.\d+\.\d+\.\d+"),
            path=f"network/google/{domain}-a",
        )
        for domain in ("googleapis-com", "gcr-io", "pkg-dev")
    ),
    Requirement(18, "google_dns_policy", "enable_inbound_forwarding", _FALSE),
    Requirement(
        18,
        "google_service_networking_connection",
        "network",
        refers_to("google_compute_network"),
    ),
    Requirement(18, "google_service_networking_vpc_service_controls", "enabled", _TRUE),
    Requirement(19, _PERIMETER, "perimeter_type", equals("PERIMETER_TYPE_REGULAR")),
    Requirement(19, _PERIMETER, "status.resources.*", matches(r"projects/\d+")),
    Requirement(19, _PERIMETER, "status.restricted_services", contains(*_WATCHED)),
    Requirement(19, _PERIMETER, "status.vpc_accessible_services.enable_restriction", _TRUE),
    Requirement(
        19,
        _PERIMETER,
        "status.vpc_accessible_services.allowed_services",
        Predicate(
            "be restricted services, and those that make tokens",
            lambda v: (
                isinstance(v, list)
                and "RESTRICTED-SERVICES" in v
                and set(v) <= {"RESTRICTED-SERVICES", "iamcredentials.googleapis.com", "sts.googleapis.com"}
            ),
        ),
    ),
    Requirement(19, _PERIMETER, "status.access_levels", absent()),
    Requirement(19, _PERIMETER, "status.egress_policies", absent()),
    Requirement(19, _PERIMETER, "status.ingress_policies.*.ingress_from.identity_type", absent()),
    Requirement(
        19,
        _PERIMETER,
        "status.ingress_policies.*.ingress_from.identities",
        _each(
            "be accounts of this stack",
            matches(
                r"\$\{google_service_account\.identity_ci-(plan|deploy)_.*"
                r"|serviceAccount:\$\{google_scc_v2_project_notification_config\..*"
            ).holds,
        ),
    ),
    Requirement(19, _PERIMETER, "spec", absent()),
    Requirement(19, _PERIMETER, "use_explicit_dry_run_spec", absent()),
    *_deny_everything("deny-egress", "EGRESS", "destination_ranges"),
    *_deny_everything("deny-ingress", "INGRESS", "source_ranges"),
    Requirement(
        20,
        _FIREWALL,
        "destination_ranges",
        _each("be one private address", matches(r"(10|172|192|100)\.[\d.]+/32").holds),
        path="network/firewall/to-google",
    ),
    Requirement(20, _FIREWALL, "allow.*.ports", equals(["443"]), path="network/firewall/to-google"),
    *(
        Requirement(
            20,
            _FIREWALL,
            ends,
            _each("be private ranges", matches(r"(10|172|192|100)\.[\d.]+/(1[4-9]|2\d)").holds),
            path=f"network/firewall/{name}",
        )
        for name, ends in (("to-inside", "destination_ranges"), ("from-inside", "source_ranges"))
    ),
    Requirement(
        20,
        _FIREWALL,
        "allow.*.protocol",
        one_of("tcp", "udp", "icmp"),
        path="network/firewall/[!d]*",
        least=3,
    ),
)

_PROJECT_MEMBER, _ACCOUNT_MEMBER = "google_project_iam_member", "google_service_account_iam_member"
_ROLE, _PROVIDER = "google_project_iam_custom_role", "google_iam_workload_identity_pool_provider"
_ENTITLEMENT = "google_privileged_access_manager_entitlement"
_NOT_TOO_MUCH = Predicate(
    "be no role that reads patient data or secrets, or gives every other role",
    lambda v: isinstance(v, str) and v not in _TOO_MUCH,
)
_NO_ADMIN = Predicate(
    "be no administrator's role",
    lambda v: isinstance(v, str) and not v.lower().endswith(("admin", "owner", "editor")),
)
_READ_ONLY = one_of(
    "roles/iam.securityReviewer",
    "roles/logging.privateLogViewer",
    "roles/cloudasset.viewer",
    "roles/securitycenter.findingsViewer",
    "roles/cloudkms.viewer",
    "roles/compute.viewer",
)


def _subject(role: str, subject: str) -> Requirement:
    pool = r"principal://iam\.googleapis\.com/projects/\d+/locations/global/workloadIdentityPools/[a-z0-9-]+"
    return Requirement(
        22,
        _ACCOUNT_MEMBER,
        "member",
        matches(rf"{pool}/subject/repo:{_NAME}/{_NAME}:{subject}"),
        path=f"identity/github/{role}",
    )


_IDENTITY = (
    Requirement(21, _PROJECT_MEMBER, "role", _NOT_TOO_MUCH, least=40),
    Requirement(21, _PROJECT_MEMBER, "member", refers_to("google_service_account"), least=40),
    *(
        Requirement(21, _PROJECT_MEMBER, "role", _NO_ADMIN, path=path, least=least)
        for path, least in (
            ("identity/[tsp]*", 5),
            ("identity/ci-plan-*", 10),
            ("identity/auditor-*", 4),
        )
    ),
    *(
        Requirement(21, _ROLE, "permissions", lacks(*_DATA_PERMISSIONS), path=path)
        for path in ("identity/ci-plan-role", "identity/ci-deploy-role", "identity/pipeline-role")
    ),
    Requirement(
        21,
        _ROLE,
        "permissions",
        _each("only read", lambda v: v.rpartition(".")[2] in ("get", "list", "getIamPolicy")),
        path="identity/ci-plan-role",
    ),
    Requirement(
        21,
        _ACCOUNT_MEMBER,
        "role",
        equals("roles/iam.serviceAccountUser"),
        path="identity/pipeline-uses-*",
        least=2,
    ),
    Requirement(21, _ACCOUNT_MEMBER, "member", lacks(*_EVERYBODY, "principalSet://"), least=6),
    Requirement(
        21,
        _POLICIES,
        "policy_data",
        _grants("roles/storage.objectViewer", "identity_training_", "transfer"),
        path="identity/access/data",
    ),
    Requirement(
        21,
        _POLICIES,
        "policy_data",
        _grants("roles/storage.objectUser", "identity_pipeline_"),
        path="identity/access/data",
    ),
    Requirement(
        21,
        _POLICIES,
        "policy_data",
        _grants("roles/storage.objectCreator", "identity_serving_", condition="/objects/capture/"),
        path="identity/access/data",
    ),
    Requirement(
        21,
        _POLICIES,
        "policy_data",
        _grants("roles/storage.objectUser", "identity_training_", "identity_pipeline_"),
        path="identity/access/models",
    ),
    Requirement(
        21,
        _POLICIES,
        "policy_data",
        _only_roles(
            "roles/storage.objectCreator",
            "roles/storage.objectUser",
            "roles/storage.objectViewer",
            "roles/storage.legacyBucketReader",
        ),
        path="identity/access/data",
    ),
    *_enforced(21, "iam.disableServiceAccountKeyCreation"),
    Requirement(22, _PROVIDER, "oidc.issuer_uri", equals(_GITHUB)),
    Requirement(
        22,
        _PROVIDER,
        "oidc.allowed_audiences",
        _each(
            "name this provider",
            matches(
                r"https://iam\.googleapis\.com/projects/\d+/locations/global/workloadIdentityPools/"
                r"[a-z0-9-]+/providers/github"
            ).holds,
        ),
    ),
    Requirement(
        22,
        _PROVIDER,
        "attribute_condition",
        matches(
            rf'assertion\.repository == "(?P<repository>{_NAME}/{_NAME})" && assertion\.sub in '
            rf'\["repo:(?P=repository):pull_request", "repo:(?P=repository):environment:{_NAME}"\]'
        ),
    ),
    Requirement(
        22,
        _PROVIDER,
        "attribute_mapping",
        equals({"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"}),
    ),
    Requirement(22, _PROVIDER, "oidc.jwks_json", absent()),
    _subject("ci-plan", "pull_request"),
    _subject("ci-deploy", f"environment:{_NAME}"),
    Requirement(
        22,
        _ACCOUNT_MEMBER,
        "role",
        equals("roles/iam.workloadIdentityUser"),
        path="identity/github/*",
        least=2,
    ),
    *_policy(22, "iam.workloadIdentityPoolProviders", "values.allowed_values", equals([_GITHUB])),
    Requirement(23, _PROJECT_MEMBER, "role", _READ_ONLY, path="identity/auditor-*", least=6),
    Requirement(
        23,
        _POLICIES,
        "policy_data",
        _grants("roles/storage.objectViewer", "identity_auditor_"),
        path="identity/access/audit",
    ),
    *(
        Requirement(23, _POLICIES, "policy_data", lacks("identity_auditor_"), path=f"identity/access/{name}")
        for name in ("data", "models", "data-copy", "models-copy")
    ),
    Requirement(
        23, _ACCOUNT_MEMBER, "member", matches(r"(user|group):[^@]+@[^@]+"), path="identity/auditor-people"
    ),
    Requirement(24, _ENTITLEMENT, "max_request_duration", at_most(3600)),
    Requirement(24, _ENTITLEMENT, "approval_workflow.manual_approvals.steps.*.approvals_needed", at_least(1)),
    Requirement(24, _ENTITLEMENT, "approval_workflow.manual_approvals.require_approver_justification", _TRUE),
    Requirement(
        24,
        _ENTITLEMENT,
        "approval_workflow.manual_approvals.steps.*.approvers.principals.*",
        matches(r"(user|group):[^@]+@[^@]+"),
    ),
    Requirement(
        24,
        _ENTITLEMENT,
        "requester_justification_config",
        Predicate("ask for a reason", lambda v: isinstance(v, Mapping) and list(v) == ["unstructured"]),
    ),
    Requirement(
        24,
        _ENTITLEMENT,
        "privileged_access.gcp_iam_access.role_bindings.*.role",
        Predicate("be no basic role", lambda v: isinstance(v, str) and v not in _BASIC),
    ),
    Requirement(24, _ENTITLEMENT, "additional_notification_targets.admin_email_recipients", present()),
    *_alarm(24, "break-glass", ("privilegedaccessmanager", "CreateGrant", "ActivateGrant")),
)

_REPOSITORY, _SECRET = "google_artifact_registry_repository", "google_secret_manager_secret"
_ADMISSION, _SECRET_MEMBER = "google_binary_authorization_policy", "google_secret_manager_secret_iam_member"
_SUPPLY = (
    Requirement(25, _REPOSITORY, "kms_key_name", _KEY, least=2),
    Requirement(25, _REPOSITORY, "docker_config.immutable_tags", _TRUE, least=2),
    Requirement(25, _REPOSITORY, "mode", equals("STANDARD_REPOSITORY"), least=2),
    Requirement(
        25,
        "google_artifact_registry_repository_iam_member",
        "member",
        refers_to("google_service_account"),
        least=5,
    ),
    Requirement(
        25,
        "google_artifact_registry_repository_iam_member",
        "role",
        one_of("roles/artifactregistry.reader", "roles/artifactregistry.writer"),
        least=5,
    ),
    Requirement(
        26, _REPOSITORY, "vulnerability_scanning_config.enablement_config", equals("INHERITED"), least=2
    ),
    Requirement(27, _ADMISSION, "default_admission_rule.evaluation_mode", equals("REQUIRE_ATTESTATION")),
    Requirement(
        27, _ADMISSION, "default_admission_rule.enforcement_mode", equals("ENFORCED_BLOCK_AND_AUDIT_LOG")
    ),
    Requirement(
        27,
        _ADMISSION,
        "default_admission_rule.require_attestations_by.*",
        refers_to("google_binary_authorization_attestor"),
    ),
    Requirement(27, _ADMISSION, "admission_whitelist_patterns", absent()),
    Requirement(27, _ADMISSION, "cluster_admission_rules", absent()),
    Requirement(27, _ADMISSION, "global_policy_evaluation_mode", equals("ENABLE")),
    Requirement(
        27,
        "google_binary_authorization_attestor",
        "attestation_authority_note.public_keys.*.pkix_public_key.public_key_pem",
        matches(r"\$\{data\.google_kms_crypto_key_version\..*"),
    ),
    Requirement(
        27, "google_kms_crypto_key", "purpose", equals("ASYMMETRIC_SIGN"), path="registry/admission/signing"
    ),
    Requirement(
        28,
        _SECRET,
        "replication.user_managed.replicas.*.customer_managed_encryption.kms_key_name",
        _KEY,
        least=2,
    ),
    Requirement(28, _SECRET, "replication.auto", absent(), least=2),
    Requirement(28, _SECRET, "rotation.rotation_period", at_most(366 * _DAY_S), least=2),
    Requirement(28, _SECRET, "topics.*.name", refers_to("google_pubsub_topic"), least=2),
    Requirement(28, _SECRET, "version_destroy_ttl", at_least(30 * _DAY_S), least=2),
    Requirement(28, _SECRET, "ttl", absent(), least=2),
    Requirement(28, _SECRET, "expire_time", absent(), least=2),
    Requirement(
        28,
        _SECRET_MEMBER,
        "member",
        matches(r"\$\{google_service_account\.identity_pipeline_.*\}"),
        least=4,
    ),
    Requirement(
        28,
        _SECRET_MEMBER,
        "role",
        one_of("roles/secretmanager.secretAccessor", "roles/secretmanager.secretVersionAdder"),
        least=4,
    ),
    Requirement(
        28,
        "google_iam_deny_policy",
        "rules",
        _denies("secretmanager.googleapis.com/versions.access", exceptions=1),
    ),
)

_NOTEBOOK, _CLUSTER = "google_workbench_instance", "google_container_cluster"
_NODES, _STAND_BY = "google_container_node_pool", "google_vertex_ai_persistent_resource"
_SHIELDED = "shielded_instance_config"


def _optional(kind: str, settings: Mapping[str, Predicate]) -> Iterable[Requirement]:
    """What holds of a resource where there is one."""
    return (Requirement(29, kind, setting, must, least=0) for setting, must in settings.items())


_COMPUTE = (
    Requirement(29, "google_cloud_quotas_quota_preference", "quota_config.preferred_value", at_least(0)),
    Requirement(29, "google_kms_crypto_key_iam_member", "crypto_key_id", _KEY, path="keys/data/aiplatform"),
    *_policy(
        29, "gcp.restrictNonCmekServices", "values.denied_values", contains("aiplatform.googleapis.com")
    ),
    *_enforced(29, "ainotebooks.restrictPublicIp", "ainotebooks.disableFileDownloads"),
    *_optional(
        _NOTEBOOK,
        {
            "gce_setup.disable_public_ip": _TRUE,
            "gce_setup.enable_ip_forwarding": _FALSE,
            "gce_setup.network_interfaces.*.access_configs": absent(),
            "gce_setup.network_interfaces.*.subnet": refers_to(_SUBNET),
            "gce_setup.boot_disk.disk_encryption": equals("CMEK"),
            "gce_setup.boot_disk.kms_key": _KEY,
            "gce_setup.data_disks.disk_encryption": equals("CMEK"),
            "gce_setup.data_disks.kms_key": _KEY,
            "gce_setup.service_accounts.*.email": refers_to("google_service_account"),
            "gce_setup.metadata.notebook-disable-root": equals("true"),
            "gce_setup.metadata.notebook-disable-downloads": equals("true"),
            f"gce_setup.{_SHIELDED}.enable_secure_boot": _TRUE,
            f"gce_setup.{_SHIELDED}.enable_vtpm": _TRUE,
            f"gce_setup.{_SHIELDED}.enable_integrity_monitoring": _TRUE,
        },
    ),
    *_optional(
        _STAND_BY,
        {
            "encryption_spec.kms_key_name": _KEY,
            "network": matches(r"projects/\d+/global/networks/\$\{google_compute_network\..*\}"),
            "resource_runtime_spec.service_account_spec.enable_custom_service_account": _TRUE,
        },
    ),
    *_optional(
        _CLUSTER,
        {
            "private_cluster_config.enable_private_nodes": _TRUE,
            "private_cluster_config.enable_private_endpoint": _TRUE,
            "master_authorized_networks_config.gcp_public_cidrs_access_enabled": _FALSE,
            "master_authorized_networks_config.cidr_blocks.*.cidr_block": matches(r"(?!0\.0\.0\.0/).*"),
            "workload_identity_config.workload_pool": matches(r"[a-z0-9-]+\.svc\.id\.goog"),
            "database_encryption.state": equals("ENCRYPTED"),
            "database_encryption.key_name": _KEY,
            "binary_authorization.evaluation_mode": equals("PROJECT_SINGLETON_POLICY_ENFORCE"),
            "enable_shielded_nodes": _TRUE,
            "enable_legacy_abac": _FALSE,
            "datapath_provider": equals("ADVANCED_DATAPATH"),
            "enable_intranode_visibility": _TRUE,
            "logging_config.enable_components": contains("SYSTEM_COMPONENTS", "WORKLOADS", "APISERVER"),
            "master_auth.client_certificate_config.issue_client_certificate": _FALSE,
            "service_external_ips_config.enabled": _FALSE,
            "rbac_binding_config.enable_insecure_binding_system_unauthenticated": _FALSE,
            "rbac_binding_config.enable_insecure_binding_system_authenticated": _FALSE,
        },
    ),
    *_optional(
        _NODES,
        {
            "network_config.enable_private_nodes": _TRUE,
            "node_config.boot_disk_kms_key": _KEY,
            "node_config.service_account": refers_to("google_service_account"),
            "node_config.workload_metadata_config.mode": equals("GKE_METADATA"),
            "node_config.metadata.disable-legacy-endpoints": equals("true"),
            "node_config.kubelet_config.insecure_kubelet_readonly_port_enabled": equals("FALSE"),
            f"node_config.{_SHIELDED}.enable_secure_boot": _TRUE,
            f"node_config.{_SHIELDED}.enable_integrity_monitoring": _TRUE,
            "management.auto_upgrade": _TRUE,
            "management.auto_repair": _TRUE,
        },
    ),
    Requirement(29, _NODES, "autoscaling.total_min_node_count", at_most(0), path="kubernetes/gpu-*", least=0),
    Requirement(30, _REPOSITORY, "docker_config.immutable_tags", _TRUE, path="registry/models"),
    Requirement(30, _REPOSITORY, "kms_key_name", _KEY, path="registry/models"),
    Requirement(
        30,
        _ROLE,
        "permissions",
        contains("aiplatform.models.upload", "aiplatform.models.get"),
        path="identity/pipeline-role",
    ),
    Requirement(31, "output", "value.endpoint_bounds", bounded()),
    Requirement(31, "output", "value.by_platform", says("scales each deployed model within")),
    Requirement(
        31,
        _ROLE,
        "permissions",
        contains("aiplatform.endpoints.deploy", "aiplatform.endpoints.update"),
        path="identity/pipeline-role",
    ),
    Requirement(
        31,
        _ALERT,
        "conditions.*.condition_threshold.filter",
        matches(r'resource\.type="aiplatform\.googleapis\.com/Endpoint" AND metric\.type=".+/error_count"'),
        path="serving/errors",
        least=0,
    ),
)

_JOB, _BUDGET = "google_storage_transfer_job", "google_billing_budget"
_OPTIONS = "transfer_spec.transfer_options"
_GUARDS = (
    Requirement(32, _JOB, "status", equals("ENABLED"), least=2),
    Requirement(32, _JOB, "schedule.repeat_interval", at_most(_DAY_S), least=2),
    Requirement(32, _JOB, "schedule.schedule_end_date", absent(), least=2),
    Requirement(32, _JOB, "transfer_spec.gcs_data_source.bucket_name", _BUCKET, least=2),
    Requirement(
        32,
        _JOB,
        "transfer_spec.gcs_data_sink.bucket_name",
        matches(r"\$\{google_storage_bucket\.storage_[a-z]+-copy_.*\}"),
        least=2,
    ),
    Requirement(32, _JOB, f"{_OPTIONS}.delete_objects_unique_in_sink", _FALSE, least=2),
    Requirement(32, _JOB, f"{_OPTIONS}.delete_objects_from_source_after_transfer", _FALSE, least=2),
    Requirement(32, _JOB, "transfer_spec.object_conditions", absent(), least=2),
    Requirement(
        32,
        "google_storage_bucket",
        "encryption.default_kms_key_name",
        matches(r"\$\{google_kms_crypto_key\.keys_replica_.*\}"),
        path="storage/*-copy/bucket",
        least=2,
    ),
    Requirement(33, "terraform.backend", "bucket", matches(r"[a-z0-9-]+-tfstate")),
    Requirement(33, "terraform.backend", "prefix", present()),
    Requirement(
        33,
        "terraform.backend",
        "kms_encryption_key",
        matches(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+"),
    ),
    Requirement(34, _BUDGET, "amount.specified_amount.units", at_least(1)),
    Requirement(34, _BUDGET, "threshold_rules.*.threshold_percent", at_most(1)),
    Requirement(34, _BUDGET, "budget_filter.projects", present()),
    Requirement(
        34,
        _BUDGET,
        "all_updates_rule.monitoring_notification_channels.*",
        refers_to("google_monitoring_notification_channel"),
    ),
    *_kept("google_storage_bucket", 6),
    *_kept("google_kms_crypto_key", 6),
    *_kept("google_kms_key_ring", 2, policy=False),
    *_kept(_LOG_BUCKET, 1),
    *_kept(_AUDIT_CONFIG, 1, policy=False),
    *_kept(_SINK, 2),
    *_kept(_REPOSITORY, 2),
    *_kept("google_org_policy_policy", 20),
    *_kept(_PERIMETER, 1),
    *_kept(_SECRET, 2, policy=False),
    Requirement(35, _SECRET, "deletion_protection", _TRUE, least=2),
    Requirement(35, "google_storage_bucket", "force_destroy", _FALSE, least=6),
    Requirement(35, _CLUSTER, "deletion_protection", _TRUE, least=0),
    Requirement(35, _NOTEBOOK, "enable_deletion_protection", _TRUE, least=0),
    Requirement(
        35, "google_resource_manager_lien", "restrictions", contains("resourcemanager.projects.delete")
    ),
    Requirement(
        35,
        "google_iam_deny_policy",
        "rules",
        _denies(
            "cloudkms.googleapis.com/cryptoKeyVersions.destroy",
            "iam.googleapis.com/serviceAccountKeys.create",
            "logging.googleapis.com/buckets.delete",
            "logging.googleapis.com/sinks.delete",
            "storage.googleapis.com/buckets.delete",
            exceptions=0,
        ),
    ),
)

REQUIREMENTS: tuple[Requirement, ...] = (
    *_KEYS,
    *_BUCKETS,
    *_AUDIT,
    *_NETWORK,
    *_IDENTITY,
    *_SUPPLY,
    *_COMPUTE,
    *_GUARDS,
)
