"""The settings that make the controls true on AWS."""

import re
from collections.abc import Sequence

from isocenter_infra.parity.requirement import (
    Predicate,
    Requirement,
    absent,
    at_least,
    bounded,
    contains,
    equals,
    matches,
    one_of,
    present,
    refers_to,
    says,
    statement,
)

_SIX_YEARS_DAYS = 2192
_TRUE, _FALSE = equals(True), equals(False)
_GITHUB = "token.actions.githubusercontent.com"
_NO_PLAIN = statement(
    Effect="Deny", Principal={"AWS": "*"}, Condition={"Bool": {"aws:SecureTransport": "false"}}
)
_NO_OLD_TLS = statement(
    Effect="Deny", Principal={"AWS": "*"}, Condition={"NumericLessThan": {"s3:TlsVersion": "1.2"}}
)
_SSE = "rule.*.apply_server_side_encryption_by_default"
# The rollouts scale variants of endpoints, and nothing else; the errors of all of them are one alarm's.
_VARIANTS = {
    "application-autoscaling:service-namespace": "sagemaker",
    "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
}
_SCALING = (
    statement(
        Effect="Allow",
        Action=[
            f"application-autoscaling:{verb}"
            for verb in ("RegisterScalableTarget", "DeregisterScalableTarget", "PutScalingPolicy")
        ],
        Condition={"StringEquals": _VARIANTS},
    ),
    statement(
        Effect="Allow",
        Action=["cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"],
        Condition={"StringEquals": {"aws:CalledViaLast": "application-autoscaling.amazonaws.com"}},
    ),
    statement(Effect="Allow", Action=["iam:CreateServiceLinkedRole"], Sid="LetScalingAct"),
)
_ERRORS = 'SELECT SUM(Invocation5XXErrors) FROM SCHEMA("AWS/SageMaker", EndpointName, VariantName)'


def _subject(subject: str) -> Predicate:
    """A trust policy for workflows whose subject is exactly this, wildcards not being evaluated."""
    return Predicate(
        f"trust exactly the GitHub subject {subject}",
        lambda v: matches(
            rf'.*"StringEquals": \{{"{_GITHUB}:aud": "sts\.amazonaws\.com", "{_GITHUB}:sub": "{subject}"\}}.*'
        ).holds(v),
    )


def _no_admin(value: object) -> bool:
    return isinstance(value, str) and '"Action": ["*"]' not in value and '"Action": "*"' not in value


def _only(kind: str) -> Predicate:
    """A list, maybe empty, of references to resources of type ``kind``."""
    refers = refers_to(kind)
    return Predicate(
        f"be a list that can only {refers.words}",
        lambda v: isinstance(v, list) and all(map(refers.holds, v)),
    )


_KEYS = (
    Requirement(1, "aws_kms_key", "enable_key_rotation", _TRUE, least=5),
    Requirement(1, "aws_kms_key", "deletion_window_in_days", at_least(30), least=5),
    Requirement(1, "aws_kms_alias", "target_key_id", refers_to("aws_kms_key"), least=5),
)

_BUCKETS = (
    Requirement(
        2,
        "aws_s3_bucket_server_side_encryption_configuration",
        f"{_SSE}.sse_algorithm",
        equals("aws:kms"),
        path="storage/[dm]*/encryption",
        least=4,
    ),
    Requirement(
        2,
        "aws_s3_bucket_server_side_encryption_configuration",
        f"{_SSE}.kms_master_key_id",
        refers_to("aws_kms_key"),
        path="storage/[dm]*/encryption",
        least=4,
    ),
    Requirement(
        2,
        "aws_s3_bucket_policy",
        "policy",
        statement(Effect="Deny", Action=["s3:PutObject"], Principal={"AWS": "*"}),
        path="storage/[dm]*/policy",
        least=4,
    ),
    Requirement(3, "aws_s3_bucket_versioning", "versioning_configuration.status", equals("Enabled"), least=6),
    Requirement(4, "aws_s3_bucket", "object_lock_enabled", _TRUE, path="audit/bucket/bucket"),
    Requirement(
        4,
        "aws_s3_bucket_object_lock_configuration",
        "rule.default_retention.mode",
        equals("COMPLIANCE"),
        path="audit/bucket/lock",
    ),
    Requirement(
        4,
        "aws_s3_bucket_object_lock_configuration",
        "rule.default_retention.years",
        at_least(6),
        path="audit/bucket/lock",
    ),
    *(
        Requirement(5, "aws_s3_bucket_public_access_block", name, _TRUE, least=6)
        for name in (
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        )
    ),
    *(
        Requirement(5, "aws_s3_account_public_access_block", name, _TRUE)
        for name in (
            "block_public_acls",
            "block_public_policy",
            "ignore_public_acls",
            "restrict_public_buckets",
        )
    ),
    Requirement(6, "aws_s3_bucket_policy", "policy", _NO_PLAIN, least=6),
    Requirement(6, "aws_s3_bucket_policy", "policy", _NO_OLD_TLS, least=6),
    Requirement(
        7, "aws_s3_bucket_ownership_controls", "rule.object_ownership", equals("BucketOwnerEnforced"), least=6
    ),
    Requirement(8, "aws_s3_bucket_logging", "target_bucket", refers_to("aws_s3_bucket"), least=3),
)

_AUDIT = (
    Requirement(9, "aws_cloudtrail", "is_multi_region_trail", _TRUE),
    Requirement(9, "aws_cloudtrail", "include_global_service_events", _TRUE),
    Requirement(9, "aws_cloudtrail", "enable_logging", _TRUE),
    Requirement(9, "aws_cloudtrail", "kms_key_id", refers_to("aws_kms_key")),
    Requirement(9, "aws_cloudtrail", "event_selector.*.include_management_events", _TRUE),
    Requirement(10, "aws_cloudtrail", "event_selector.*.read_write_type", equals("All")),
    Requirement(10, "aws_cloudtrail", "event_selector.*.data_resource.*.type", equals("AWS::S3::Object")),
    Requirement(
        10,
        "aws_cloudtrail",
        "event_selector.*.data_resource.*.values",
        Predicate(
            "name the data and models buckets",
            lambda v: (
                isinstance(v, list)
                and any(x.endswith("-data/") for x in v)
                and any(x.endswith("-models/") for x in v)
            ),
        ),
    ),
    Requirement(
        11,
        "aws_s3_bucket_object_lock_configuration",
        "rule.default_retention.years",
        at_least(6),
        path="audit/bucket/lock",
    ),
    Requirement(11, "aws_cloudtrail", "s3_bucket_name", matches(r"\$\{aws_s3_bucket\.audit_bucket_.*\}")),
    Requirement(11, "aws_cloudwatch_log_group", "retention_in_days", at_least(_SIX_YEARS_DAYS), least=2),
    Requirement(11, "aws_cloudwatch_log_group", "kms_key_id", refers_to("aws_kms_key"), least=2),
    Requirement(12, "aws_cloudtrail", "enable_log_file_validation", _TRUE),
    Requirement(
        13,
        "aws_cloudwatch_log_metric_filter",
        "pattern",
        matches(r".*UnauthorizedOperation.*AccessDenied.*"),
        path="audit/unauthorized-filter",
    ),
    Requirement(
        13,
        "aws_cloudwatch_log_metric_filter",
        "log_group_name",
        refers_to("aws_cloudwatch_log_group"),
        least=9,
    ),
    Requirement(13, "aws_cloudwatch_metric_alarm", "alarm_actions.*", refers_to("aws_sns_topic"), least=9),
    Requirement(13, "aws_cloudwatch_metric_alarm", "threshold", equals(1), path="audit/*", least=9),
    Requirement(13, "aws_sns_topic", "kms_master_key_id", refers_to("aws_kms_key")),
    Requirement(13, "aws_sns_topic_subscription", "endpoint", matches(r"[^@]+@[^@]+")),
    Requirement(14, "aws_guardduty_detector", "enable", _TRUE),
    Requirement(14, "aws_guardduty_detector_feature", "status", equals("ENABLED"), least=2),
    Requirement(15, "aws_config_configuration_recorder", "recording_group.all_supported", _TRUE),
    Requirement(15, "aws_config_configuration_recorder_status", "is_enabled", _TRUE),
    Requirement(15, "aws_config_delivery_channel", "s3_bucket_name", refers_to("aws_s3_bucket")),
    Requirement(15, "aws_config_conformance_pack", "template_body", contains("S3_BUCKET_SSL_REQUESTS_ONLY")),
)

_NETWORK = (
    Requirement(16, "aws_subnet", "map_public_ip_on_launch", _FALSE, least=3),
    Requirement(16, "aws_default_security_group", "ingress", absent()),
    Requirement(16, "aws_default_security_group", "egress", absent()),
    Requirement(16, "aws_vpc", "enable_dns_support", _TRUE),
    Requirement(17, "aws_flow_log", "traffic_type", equals("ALL")),
    Requirement(17, "aws_flow_log", "vpc_id", refers_to("aws_vpc")),
    Requirement(17, "aws_flow_log", "log_destination", refers_to("aws_cloudwatch_log_group")),
    Requirement(18, "aws_vpc_endpoint", "private_dns_enabled", _TRUE, path="network/[!s]*", least=5),
    Requirement(
        18,
        "aws_vpc_endpoint",
        "service_name",
        matches(r"com\.amazonaws\.[a-z0-9-]+\.sagemaker\.api"),
        path="network/sagemaker-api",
    ),
    Requirement(
        18, "aws_vpc_endpoint", "service_name", matches(r"com\.amazonaws\.[a-z0-9-]+\.s3"), path="network/s3"
    ),
    Requirement(
        19, "aws_vpc_endpoint", "policy", statement(Effect="Allow", Condition={"StringEquals": {}}), least=10
    ),
    Requirement(
        19,
        "aws_vpc_endpoint",
        "policy",
        Predicate(
            "allow principals of this account only",
            lambda v: isinstance(v, str) and '"aws:PrincipalAccount"' in v,
        ),
        least=10,
    ),
    Requirement(20, "aws_security_group", "egress", absent(), least=2),
    Requirement(20, "aws_vpc_security_group_egress_rule", "cidr_ipv4", absent(), least=3),
    Requirement(20, "aws_vpc_security_group_egress_rule", "cidr_ipv6", absent(), least=3),
    Requirement(20, "aws_vpc_security_group_egress_rule", "ip_protocol", equals("tcp"), least=3),
    Requirement(20, "aws_vpc_security_group_ingress_rule", "cidr_ipv4", absent(), least=2),
    Requirement(
        20,
        "aws_vpc_security_group_rules_exclusive",
        "security_group_id",
        refers_to("aws_security_group"),
        least=2,
    ),
    Requirement(
        20,
        "aws_vpc_security_group_rules_exclusive",
        "egress_rule_ids.*",
        refers_to("aws_vpc_security_group_egress_rule"),
        path="network/workloads-rules",
    ),
    Requirement(20, "aws_route_table", "route", equals([])),
)

# Whose roles there are at the least, by the part of the stack that makes them.
_ROLES = {"audit": 2, "guard": 1, "identity": 7, "network": 1, "storage": 1}
_ONLY_THESE = tuple(
    Requirement(21, f"aws_iam_role_{kind}_exclusive", setting, must, path=f"{part}/*", least=least)
    for part, least in _ROLES.items()
    for kind, setting, must in (
        ("policies", "role_name", refers_to("aws_iam_role")),
        ("policies", "policy_names", _only("aws_iam_role_policy")),
        ("policy_attachments", "role_name", refers_to("aws_iam_role")),
        ("policy_attachments", "policy_arns", _only("aws_iam_role_policy_attachment")),
    )
)

_IDENTITY = (
    *_ONLY_THESE,
    Requirement(
        21,
        "aws_iam_policy",
        "policy",
        Predicate("allow no action *", _no_admin),
        path="identity/[!b]*",
        least=6,
    ),
    Requirement(
        21,
        "aws_iam_role",
        "permissions_boundary",
        refers_to("aws_iam_policy"),
        path="identity/[!b]*",
        least=6,
    ),
    Requirement(
        21,
        "aws_iam_policy",
        "policy",
        statement(
            Effect="Allow",
            Action=["iam:PassRole"],
            Condition={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
        path="identity/pipeline-policy",
    ),
    Requirement(
        21,
        "aws_iam_role",
        "assume_role_policy",
        statement(Principal={"Service": "sagemaker.amazonaws.com"}, Condition={"StringEquals": {}}),
        path="identity/training",
    ),
    Requirement(22, "aws_iam_openid_connect_provider", "url", equals(f"https://{_GITHUB}")),
    Requirement(22, "aws_iam_openid_connect_provider", "client_id_list", equals(["sts.amazonaws.com"])),
    Requirement(
        22,
        "aws_iam_role",
        "assume_role_policy",
        _subject(r"repo:[\w.-]+/[\w.-]+:pull_request"),
        path="identity/ci-plan",
    ),
    Requirement(
        22,
        "aws_iam_role",
        "assume_role_policy",
        _subject(r"repo:[\w.-]+/[\w.-]+:environment:[\w.-]+"),
        path="identity/ci-deploy",
    ),
    Requirement(
        23,
        "aws_iam_role_policy_attachment",
        "policy_arn",
        equals("arn:aws:iam::aws:policy/SecurityAudit"),
        path="identity/auditor-securityaudit",
    ),
    Requirement(
        23,
        "aws_iam_policy",
        "policy",
        statement(Effect="Deny", Action=["s3:GetObject*"]),
        path="identity/auditor-policy",
    ),
    Requirement(
        24,
        "aws_iam_role",
        "assume_role_policy",
        statement(Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}),
        path="identity/break-glass",
    ),
    Requirement(24, "aws_iam_role", "max_session_duration", equals(3600), path="identity/break-glass"),
    Requirement(
        24,
        "aws_cloudwatch_log_metric_filter",
        "pattern",
        matches(r".*AssumeRole.*break-glass.*"),
        path="audit/break-glass-filter",
    ),
)

_SUPPLY = (
    Requirement(25, "aws_ecr_repository", "image_tag_mutability", equals("IMMUTABLE"), least=2),
    Requirement(
        25, "aws_ecr_repository", "encryption_configuration.*.encryption_type", equals("KMS"), least=2
    ),
    Requirement(
        25, "aws_ecr_repository", "encryption_configuration.*.kms_key", refers_to("aws_kms_key"), least=2
    ),
    Requirement(26, "aws_ecr_repository", "image_scanning_configuration.scan_on_push", _TRUE, least=2),
    Requirement(26, "aws_ecr_registry_scanning_configuration", "scan_type", equals("ENHANCED")),
    Requirement(27, "aws_signer_signing_profile", "platform_id", equals("Notation-OCI-SHA384-ECDSA")),
    Requirement(28, "aws_secretsmanager_secret", "kms_key_id", refers_to("aws_kms_key"), least=2),
    Requirement(28, "aws_secretsmanager_secret", "recovery_window_in_days", at_least(30), least=2),
    Requirement(
        28,
        "aws_secretsmanager_secret_policy",
        "policy",
        statement(Effect="Deny", Action=["secretsmanager:GetSecretValue"]),
        least=2,
    ),
)

_COMPUTE = (
    Requirement(29, "aws_servicequotas_service_quota", "value", at_least(0)),
    *(
        Requirement(
            29, "aws_iam_policy", "policy", statement(Effect="Deny", Sid=sid), path="identity/pipeline-policy"
        )
        for sid in (
            "OnlyInNetwork",
            "OnlyWithNetwork",
            "OnlyIsolated",
            "OnlyEncryptedTraffic",
            "OnlyOurKeyForVolumes",
            "OnlyWithKeyForVolumes",
            "OnlyOurKeyForOutput",
        )
    ),
    Requirement(29, "aws_sagemaker_domain", "app_network_access_type", equals("VpcOnly"), least=0),
    Requirement(29, "aws_sagemaker_domain", "kms_key_id", refers_to("aws_kms_key"), least=0),
    Requirement(30, "aws_sagemaker_model_package_group", "model_package_group_name", present()),
    Requirement(31, "output", "value.endpoint_bounds", bounded()),
    Requirement(31, "output", "value.by_platform", says("registers each variant with Application Auto")),
    *(
        Requirement(31, "aws_iam_policy", "policy", stated, path="identity/pipeline-policy")
        for stated in (statement(Effect="Allow", Sid="Jobs"), *_SCALING)
    ),
    Requirement(
        31,
        "aws_cloudwatch_metric_alarm",
        "metric_query.*.expression",
        matches(rf"{re.escape(_ERRORS)} WHERE EndpointName = '[a-z0-9-]+'"),
        path="serving/*-errors",
        least=0,
    ),
    Requirement(
        31,
        "aws_cloudwatch_metric_alarm",
        "metric_query.*.return_data",
        _TRUE,
        path="serving/*-errors",
        least=0,
    ),
)

_GUARDS = (
    Requirement(32, "aws_s3_bucket_replication_configuration", "rule.*.status", equals("Enabled"), least=2),
    Requirement(
        32,
        "aws_s3_bucket_replication_configuration",
        "rule.*.source_selection_criteria.sse_kms_encrypted_objects.status",
        equals("Enabled"),
        least=2,
    ),
    Requirement(
        32,
        "aws_s3_bucket_replication_configuration",
        "rule.*.destination.encryption_configuration.replica_kms_key_id",
        refers_to("aws_kms_key"),
        least=2,
    ),
    Requirement(
        32, "aws_s3_bucket", "provider", equals("aws.replica"), path="storage/*-copy/bucket", least=2
    ),
    Requirement(33, "terraform.backend", "encrypt", _TRUE),
    Requirement(33, "terraform.backend", "use_lockfile", _TRUE),
    Requirement(33, "terraform.backend", "kms_key_id", matches(r"alias/.+")),
    Requirement(34, "aws_budgets_budget", "notification.*.subscriber_email_addresses", present()),
    Requirement(34, "aws_budgets_budget", "limit_amount", at_least(1)),
    Requirement(35, "aws_backup_vault_lock_configuration", "min_retention_days", at_least(30)),
    Requirement(35, "aws_backup_vault_lock_configuration", "changeable_for_days", present()),
    Requirement(35, "aws_backup_selection", "resources", present()),
    *(
        Requirement(35, kind, "lifecycle.prevent_destroy", _TRUE, path=path, least=least)
        for kind, path, least in (
            ("aws_s3_bucket", "*", 6),
            ("aws_kms_key", "*", 5),
            ("aws_cloudtrail", "*", 1),
            ("aws_cloudwatch_log_group", "audit/*", 1),
            ("aws_backup_vault", "*", 1),
            ("aws_secretsmanager_secret", "*", 2),
            ("aws_ecr_repository", "*", 2),
        )
    ),
    Requirement(35, "aws_s3_bucket", "force_destroy", one_of(False), least=6),
)

REQUIREMENTS: Sequence[Requirement] = (
    *_KEYS,
    *_BUCKETS,
    *_AUDIT,
    *_NETWORK,
    *_IDENTITY,
    *_SUPPLY,
    *_COMPUTE,
    *_GUARDS,
)
