"""What a careless or malicious edit could weaken on AWS."""

import json
from typing import Any

from infra.mutations import REMOVED, Mutation

_OPEN = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "All", "Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["*"], "Resource": "*"}
        ],
    }
)
_ADMIN = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["*"], "Resource": "*"}]}
)


def _github(subject: str) -> str:
    issuer = "token.actions.githubusercontent.com"
    condition = {
        "StringLike": {f"{issuer}:sub": subject},
        "StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"},
    }
    statement = {
        "Sid": "Assume",
        "Effect": "Allow",
        "Action": ["sts:AssumeRoleWithWebIdentity"],
        "Principal": {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{issuer}"},
        "Condition": condition,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _m(control: int, kind: str, path: str, setting: str, value: Any) -> Mutation:
    return Mutation(control, f"aws_{kind}", path, setting, value)


_ERRORS = 'SELECT SUM(Invocation5XXErrors) FROM SCHEMA("AWS/SageMaker", EndpointName, VariantName)'
_SSE = "s3_bucket_server_side_encryption_configuration"
_LOCK = "s3_bucket_object_lock_configuration"
_BLOCK = "s3_bucket_public_access_block"

_ALL: tuple[Mutation, ...] = (
    _m(1, "kms_key", "keys/data", "enable_key_rotation", False),
    _m(1, "kms_key", "keys/audit", "enable_key_rotation", REMOVED),
    _m(1, "kms_key", "keys/data", "deletion_window_in_days", 7),
    _m(1, "kms_key", "keys/data", "policy", _OPEN),
    _m(
        2,
        _SSE,
        "storage/data/encryption",
        "rule.0.apply_server_side_encryption_by_default.sse_algorithm",
        "AES256",
    ),
    _m(
        2,
        _SSE,
        "storage/models/encryption",
        "rule.0.apply_server_side_encryption_by_default.kms_master_key_id",
        REMOVED,
    ),
    _m(2, _SSE, "storage/data/encryption", "", REMOVED),
    _m(3, "s3_bucket_versioning", "storage/data/versioning", "versioning_configuration.status", "Suspended"),
    _m(3, "s3_bucket_versioning", "audit/bucket/versioning", "", REMOVED),
    _m(4, "s3_bucket", "audit/bucket/bucket", "object_lock_enabled", False),
    _m(4, _LOCK, "audit/bucket/lock", "rule.default_retention.mode", "GOVERNANCE"),
    _m(4, _LOCK, "audit/bucket/lock", "rule.default_retention.years", 1),
    _m(4, _LOCK, "audit/bucket/lock", "", REMOVED),
    _m(5, _BLOCK, "storage/data/public-access", "block_public_acls", False),
    _m(5, _BLOCK, "storage/models/public-access", "restrict_public_buckets", False),
    _m(5, _BLOCK, "storage/data/public-access", "ignore_public_acls", REMOVED),
    _m(5, "s3_account_public_access_block", "guard/account", "block_public_policy", False),
    _m(6, "s3_bucket_policy", "storage/data/policy", "policy", _OPEN),
    _m(6, "s3_bucket_policy", "storage/models/policy", "", REMOVED),
    _m(7, "s3_bucket_ownership_controls", "storage/data/ownership", "rule.object_ownership", "ObjectWriter"),
    _m(8, "s3_bucket_logging", "storage/data/logging", "", REMOVED),
    _m(9, "cloudtrail", "audit/trail", "is_multi_region_trail", False),
    _m(9, "cloudtrail", "audit/trail", "enable_logging", False),
    _m(9, "cloudtrail", "audit/trail", "kms_key_id", REMOVED),
    _m(10, "cloudtrail", "audit/trail", "event_selector.0.data_resource", []),
    _m(10, "cloudtrail", "audit/trail", "event_selector.0.read_write_type", "WriteOnly"),
    _m(10, "cloudtrail", "audit/trail", "event_selector.0.data_resource.0.values", ["arn:aws:s3:::other/"]),
    _m(11, "cloudwatch_log_group", "audit/trail-logs", "retention_in_days", 365),
    _m(11, "cloudwatch_log_group", "audit/trail-logs", "kms_key_id", REMOVED),
    _m(12, "cloudtrail", "audit/trail", "enable_log_file_validation", False),
    _m(13, "cloudwatch_metric_alarm", "audit/unauthorized-alarm", "alarm_actions", []),
    _m(
        13,
        "cloudwatch_log_metric_filter",
        "audit/unauthorized-filter",
        "pattern",
        '{ $.errorCode = "Nothing" }',
    ),
    _m(13, "sns_topic", "audit/alarms", "kms_master_key_id", REMOVED),
    _m(14, "guardduty_detector", "audit/threats", "enable", False),
    _m(15, "config_configuration_recorder_status", "audit/posture/recording", "is_enabled", False),
    _m(15, "config_configuration_recorder", "audit/posture/recorder", "recording_group.all_supported", False),
    _m(16, "subnet", "network/subnet-a", "map_public_ip_on_launch", True),
    _m(16, "default_security_group", "network/default", "", REMOVED),
    _m(17, "flow_log", "network/flow-log", "traffic_type", "ACCEPT"),
    _m(17, "flow_log", "network/flow-log", "", REMOVED),
    _m(18, "vpc_endpoint", "network/kms", "private_dns_enabled", False),
    _m(18, "vpc_endpoint", "network/sagemaker-api", "", REMOVED),
    _m(19, "vpc_endpoint", "network/s3", "policy", _OPEN),
    _m(19, "vpc_endpoint", "network/sts", "policy", REMOVED),
    _m(20, "vpc_security_group_egress_rule", "network/to-s3", "cidr_ipv4", "0.0.0.0/0"),
    _m(20, "vpc_security_group_egress_rule", "network/to-endpoints", "ip_protocol", "-1"),
    _m(
        20,
        "security_group",
        "network/workloads",
        "egress",
        [{"from_port": 0, "to_port": 0, "protocol": "-1", "cidr_blocks": ["0.0.0.0/0"]}],
    ),
    _m(20, "vpc_security_group_ingress_rule", "network/to-endpoints-in", "cidr_ipv4", "0.0.0.0/0"),
    _m(20, "vpc_security_group_rules_exclusive", "network/workloads-rules", "", REMOVED),
    _m(20, "vpc_security_group_rules_exclusive", "network/workloads-rules", "egress_rule_ids", ["sgr-1"]),
    _m(20, "route_table", "network/routes", "route", REMOVED),
    _m(20, "route_table", "network/routes", "route", [{"cidr_block": "0.0.0.0/0", "gateway_id": "igw-1"}]),
    _m(21, "iam_policy", "identity/training-policy", "policy", _ADMIN),
    _m(21, "iam_role_policies_exclusive", "identity/training-inline", "", REMOVED),
    _m(21, "iam_role_policies_exclusive", "audit/trail-role-inline", "policy_names", ["everything"]),
    _m(21, "iam_role_policy_attachments_exclusive", "guard/backup-role-attached", "", REMOVED),
    _m(
        21,
        "iam_role_policy_attachments_exclusive",
        "identity/training-attached",
        "policy_arns",
        ["arn:aws:iam::aws:policy/AdministratorAccess"],
    ),
    _m(21, "iam_role", "identity/training", "permissions_boundary", REMOVED),
    _m(21, "iam_role", "identity/pipeline", "assume_role_policy", _OPEN),
    _m(22, "iam_role", "identity/ci-deploy", "assume_role_policy", _github("repo:hospital-example/*")),
    _m(22, "iam_role", "identity/ci-plan", "assume_role_policy", _github("*")),
    _m(
        22, "iam_openid_connect_provider", "identity/github", "client_id_list", ["sts.amazonaws.com", "other"]
    ),
    _m(
        23,
        "iam_role_policy_attachment",
        "identity/auditor-securityaudit",
        "policy_arn",
        "arn:aws:iam::aws:policy/AdministratorAccess",
    ),
    _m(24, "iam_role", "identity/break-glass", "assume_role_policy", _OPEN),
    _m(24, "iam_role", "identity/break-glass", "max_session_duration", 43200),
    _m(24, "cloudwatch_log_metric_filter", "audit/break-glass-filter", "", REMOVED),
    _m(25, "ecr_repository", "registry/training", "image_tag_mutability", "MUTABLE"),
    _m(25, "ecr_repository", "registry/serving", "encryption_configuration", REMOVED),
    _m(26, "ecr_repository", "registry/training", "image_scanning_configuration.scan_on_push", False),
    _m(26, "ecr_registry_scanning_configuration", "registry/scanning", "scan_type", "BASIC"),
    _m(27, "signer_signing_profile", "registry/signing", "", REMOVED),
    _m(28, "secretsmanager_secret", "secrets/site-secret", "kms_key_id", REMOVED),
    _m(28, "secretsmanager_secret", "secrets/site-secret", "recovery_window_in_days", 0),
    _m(29, "iam_policy", "identity/pipeline-policy", "policy", _ADMIN),
    _m(29, "sagemaker_domain", "compute/studio", "app_network_access_type", "PublicInternetOnly"),
    _m(29, "sagemaker_domain", "compute/studio", "kms_key_id", REMOVED),
    _m(30, "sagemaker_model_package_group", "compute/models", "", REMOVED),
    Mutation(31, "output", "", "value.endpoint_bounds", REMOVED),
    Mutation(31, "output", "", "value.endpoint_bounds.chest-xray.min_instances", 0),
    _m(31, "iam_policy", "identity/pipeline-policy", "policy", _ADMIN),
    _m(
        31,
        "cloudwatch_metric_alarm",
        "serving/chest-xray-errors",
        "metric_query.0.expression",
        f"{_ERRORS} WHERE EndpointName = 'aws-example-chest-xray' AND VariantName = 'AllTraffic'",
    ),
    _m(31, "cloudwatch_metric_alarm", "serving/chest-xray-errors", "metric_query.0.expression", _ERRORS),
    _m(31, "cloudwatch_metric_alarm", "serving/chest-xray-errors", "metric_query", REMOVED),
    _m(31, "cloudwatch_metric_alarm", "serving/chest-xray-errors", "metric_query.0.return_data", False),
    _m(13, "cloudwatch_metric_alarm", "serving/chest-xray-errors", "alarm_actions", []),
    _m(32, "s3_bucket_replication_configuration", "storage/data-replication", "rule.0.status", "Disabled"),
    _m(32, "s3_bucket_replication_configuration", "storage/models-replication", "", REMOVED),
    _m(32, "s3_bucket", "storage/data-copy/bucket", "provider", REMOVED),
    Mutation(33, "terraform.backend", "*", "encrypt", False),
    Mutation(33, "terraform.backend", "*", "use_lockfile", False),
    Mutation(33, "terraform.backend", "*", "kms_key_id", REMOVED),
    _m(34, "budgets_budget", "guard/budget", "notification", []),
    _m(34, "budgets_budget", "guard/budget", "", REMOVED),
    _m(35, "backup_vault_lock_configuration", "guard/vault-lock", "min_retention_days", 1),
    _m(35, "backup_vault_lock_configuration", "guard/vault-lock", "", REMOVED),
    _m(35, "s3_bucket", "storage/data/bucket", "lifecycle.prevent_destroy", False),
    _m(35, "s3_bucket", "storage/data/bucket", "force_destroy", True),
    _m(35, "kms_key", "keys/data", "lifecycle", REMOVED),
    _m(16, "eks_cluster", "kubernetes/cluster", "vpc_config.endpoint_public_access", True),
    _m(9, "eks_cluster", "kubernetes/cluster", "enabled_cluster_log_types", ["api"]),
    _m(1, "eks_cluster", "kubernetes/cluster", "encryption_config", REMOVED),
    _m(29, "launch_template", "kubernetes/system-template", "metadata_options.http_tokens", "optional"),
    _m(5, "s3_bucket", "storage/data/bucket", "website", {"index_document": "index.html"}),
    _m(
        5,
        "s3_bucket",
        "storage/data/bucket",
        "cors_rule",
        [{"allowed_origins": ["*"], "allowed_methods": ["GET"]}],
    ),
    _m(32, "s3_bucket", "storage/data-copy/bucket", "region", "us-east-1"),
    _m(1, "kms_key", "keys/replica", "region", "us-east-1"),
    _m(20, "vpc_security_group_ingress_rule", "network/peers-in", "from_port", 0),
    _m(20, "vpc_security_group_ingress_rule", "network/to-endpoints-in", "ip_protocol", "-1"),
    _m(
        3,
        "s3_bucket_lifecycle_configuration",
        "storage/data/lifecycle",
        "rule.0.noncurrent_version_expiration.0.noncurrent_days",
        1,
    ),
)

_BEYOND_PARITY = {
    ("aws_kms_key", "policy"),
    ("aws_eks_cluster", "vpc_config.endpoint_public_access"),
    ("aws_eks_cluster", "enabled_cluster_log_types"),
    ("aws_eks_cluster", "encryption_config"),
    ("aws_launch_template", "metadata_options.http_tokens"),
    ("aws_s3_bucket", "website"),
    ("aws_s3_bucket", "cors_rule"),
    ("aws_s3_bucket", "region"),
    ("aws_kms_key", "region"),
    ("aws_vpc_security_group_ingress_rule", "from_port"),
    ("aws_vpc_security_group_ingress_rule", "ip_protocol"),
    (
        "aws_s3_bucket_lifecycle_configuration",
        "rule.0.noncurrent_version_expiration.0.noncurrent_days",
    ),
}


def _is_left(mutation: Mutation) -> bool:
    beside = ("identity/pipeline", "assume_role_policy")
    return (mutation.kind, mutation.setting) in _BEYOND_PARITY or (mutation.path, mutation.setting) == beside


# What parity states, and what it doesn't and a policy rule must catch.
MUTATIONS = tuple(mutation for mutation in _ALL if not _is_left(mutation))
LEFT_TO_POLICY = tuple(mutation for mutation in _ALL if _is_left(mutation))
