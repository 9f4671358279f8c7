"""A passing and a failing document of each rule for AWS."""

from policies.case import GONE, Case, allow, policy

ACCOUNT = "123456789012"
LABELS = {"environment": "prod", "owner": "team", "data-classification": "phi", "cost-centre": "4711"}
NO_HTTP = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
OLD_TLS = {**NO_HTTP, "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}
BUCKET = {"bucket": "data", "force_destroy": False}
WRITES_TRAIL = {"aws_cloudtrail": {"name": "trail", "s3_bucket_name": "@"}}
TRAIL = {
    "is_multi_region_trail": True,
    "include_global_service_events": True,
    "enable_logging": True,
    "enable_log_file_validation": True,
    "event_selector": [
        {
            "include_management_events": True,
            "read_write_type": "All",
            "data_resource": [{"type": "AWS::S3::Object", "values": ["arn:aws:s3:::data/"]}],
        }
    ],
}
GITHUB = "token.actions.githubusercontent.com"


def federated(**tests: dict[str, str]) -> str:
    return policy(
        {
            "Effect": "Allow",
            "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn"},
            "Condition": tests,
        }
    )


AUDIENCE = {f"{GITHUB}:aud": "sts.amazonaws.com"}
SUBJECT = {f"{GITHUB}:sub": "repo:hospital/isocenter:environment:production"}
ANY_SUBJECT = {f"{GITHUB}:sub": "repo:hospital/*"}
SECOND_FACTOR = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def trust(principal: object, **others: object) -> str:
    return policy({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **others})


BLOCK = dict.fromkeys(
    ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets"), True
)
OWN_ENDPOINT = {"StringEquals": {"aws:ResourceAccount": ACCOUNT}}
RULE = {"description": "x", "from_port": 443, "to_port": 443, "ip_protocol": "tcp"}
REPLICATION = {
    "rule": [
        {
            "status": "Enabled",
            "delete_marker_replication": {"status": "Disabled"},
            "destination": {"encryption_configuration": {"replica_kms_key_id": "key"}},
        }
    ]
}
ENCRYPTION = "apply_server_side_encryption_by_default"
NEVER = {"": {"name": "x"}}

CASES = (
    Case(
        "aws/kms_deletion_window",
        "aws_kms_key",
        {"deletion_window_in_days": 30},
        {"deletion_window_in_days": 7},
    ),
    Case(
        "aws/kms_enabled",
        "aws_kms_key",
        {"enable_key_rotation": True, "is_enabled": True},
        {
            "enable_key_rotation": False,
            "is_enabled": False,
            "customer_master_key_spec": "RSA_4096",
            "rotation_period_in_days": 2000,
        },
    ),
    Case(
        "aws/bucket_cmk",
        "aws_s3_bucket_server_side_encryption_configuration",
        {"rule": [{ENCRYPTION: {"sse_algorithm": "aws:kms", "kms_master_key_id": "key"}}]},
        {
            f"rule.0.{ENCRYPTION}.sse_algorithm": "AES256",
            f"rule.0.{ENCRYPTION}.kms_master_key_id": GONE,
            "rule": [],
        },
    ),
    Case(
        "aws/bucket_encryption",
        "aws_s3_bucket",
        BUCKET,
        beside={"aws_s3_bucket_server_side_encryption_configuration": {"bucket": "@"}},
    ),
    Case(
        "aws/bucket_versioning",
        "aws_s3_bucket",
        BUCKET,
        beside={
            "aws_s3_bucket_versioning": {
                "bucket": "@",
                "versioning_configuration": {"status": "Enabled"},
            }
        },
        bad_beside={
            "aws_s3_bucket_versioning": {
                "bucket": "@",
                "versioning_configuration": {"status": "Suspended"},
            }
        },
    ),
    Case(
        "aws/object_lock_mode",
        "aws_s3_bucket_object_lock_configuration",
        {"rule": {"default_retention": {"mode": "COMPLIANCE", "years": 7}}},
        {"rule.default_retention.mode": "GOVERNANCE", "rule": GONE},
    ),
    Case(
        "aws/object_lock_flag",
        "aws_s3_bucket",
        {"object_lock_enabled": True},
        {"object_lock_enabled": False},
        beside={"aws_s3_bucket_object_lock_configuration": {"bucket": "@"}},
        bad_beside={"aws_s3_bucket_object_lock_configuration": {"bucket": "@"}},
    ),
    Case(
        "aws/object_lock_years",
        "aws_s3_bucket_object_lock_configuration",
        {"rule": {"default_retention": {"mode": "COMPLIANCE", "years": 6}}},
        {
            "rule.default_retention.years": 5,
            "rule.default_retention": {"mode": "COMPLIANCE", "days": 365},
        },
    ),
    Case(
        "aws/trail_bucket_locked",
        "aws_s3_bucket",
        BUCKET,
        {"bucket": "other"},
        beside={
            **WRITES_TRAIL,
            "aws_s3_bucket_object_lock_configuration": {"bucket": "@"},
        },
        bad_beside=WRITES_TRAIL,
    ),
    Case(
        "aws/account_public_access",
        "aws_s3_account_public_access_block",
        BLOCK,
        dict.fromkeys(BLOCK, False) | {"": {}},
    ),
    Case(
        "aws/bucket_public_access",
        "aws_s3_bucket",
        BUCKET,
        beside={"aws_s3_bucket_public_access_block": {"bucket": "@"}},
    ),
    Case(
        "aws/policy_tls_only",
        "aws_s3_bucket_policy",
        {"policy": policy(NO_HTTP)},
        {
            "policy": policy(NO_HTTP | {"Effect": "Allow"}),
            "": {"policy": policy(NO_HTTP | {"Action": "s3:GetObject"})},
        },
    ),
    Case(
        "aws/bucket_policy",
        "aws_s3_bucket",
        BUCKET,
        beside={"aws_s3_bucket_policy": {"bucket": "@", "policy": policy(NO_HTTP)}},
    ),
    Case(
        "aws/bucket_tls_version",
        "aws_s3_bucket_policy",
        {"policy": policy(OLD_TLS)},
        {"policy": policy(NO_HTTP)},
    ),
    Case(
        "aws/bucket_policy_closed",
        "aws_s3_bucket_policy",
        {
            "policy": policy(
                NO_HTTP,
                allow("s3:GetObject", Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:root"}),
            )
        },
        {
            "policy": policy(allow("s3:GetObject", Principal="*")),
            "": {"policy": policy(allow("s3:GetObject", Principal={"AWS": ["*"]}))},
        },
    ),
    Case(
        "aws/bucket_ownership",
        "aws_s3_bucket_ownership_controls",
        {"rule": {"object_ownership": "BucketOwnerEnforced"}},
        {"rule.object_ownership": "ObjectWriter"},
    ),
    Case(
        "aws/bucket_ownership_controls",
        "aws_s3_bucket",
        BUCKET,
        beside={"aws_s3_bucket_ownership_controls": {"bucket": "@"}},
    ),
    Case(
        "aws/trail_complete",
        "aws_cloudtrail",
        TRAIL,
        {
            "is_multi_region_trail": False,
            "include_global_service_events": False,
            "enable_logging": False,
            "event_selector.0.include_management_events": False,
            "event_selector.0.read_write_type": "WriteOnly",
        },
    ),
    Case(
        "aws/trail_data_events",
        "aws_cloudtrail",
        TRAIL,
        {
            "event_selector.0.data_resource": [],
            "event_selector.0.read_write_type": "ReadOnly",
            "event_selector.0.data_resource.0.type": "AWS::Lambda::Function",
            "event_selector": GONE,
        },
    ),
    Case(
        "aws/trail_integrity",
        "aws_cloudtrail",
        TRAIL,
        {"enable_log_file_validation": False},
    ),
    Case(
        "aws/log_retention",
        "aws_cloudwatch_log_group",
        {"retention_in_days": 2557},
        {"retention_in_days": 365},
    ),
    Case(
        "aws/alarm_actions",
        "aws_cloudwatch_metric_alarm",
        {"alarm_actions": ["topic"]},
        {"alarm_actions": [], "actions_enabled": False},
    ),
    Case(
        "aws/guardduty_on",
        "aws_guardduty_detector",
        {"enable": True, "finding_publishing_frequency": "ONE_HOUR"},
        {"enable": False, "finding_publishing_frequency": "SIX_HOURS"},
    ),
    Case(
        "aws/config_recorder",
        "aws_config_configuration_recorder",
        {"recording_group": {"all_supported": True, "include_global_resource_types": True}},
        {
            "recording_group.all_supported": False,
            "recording_group.include_global_resource_types": False,
        },
    ),
    Case(
        "aws/config_recorder",
        "aws_config_configuration_recorder_status",
        {"is_enabled": True},
        {"is_enabled": False},
    ),
    Case("aws/no_internet", "aws_internet_gateway", None, NEVER),
    Case("aws/no_internet", "aws_nat_gateway", None, NEVER),
    Case(
        "aws/no_default_route",
        "aws_route_table",
        {"route": [{"cidr_block": "10.0.0.0/8"}]},
        {"route.0.cidr_block": "0.0.0.0/0"},
    ),
    Case(
        "aws/default_security_group",
        "aws_default_security_group",
        {"ingress": [], "egress": []},
        {
            "egress": [{"protocol": "-1"}],
            "ingress": [{"protocol": "-1", "self": True}],
        },
    ),
    Case("aws/flow_log_all", "aws_flow_log", {"traffic_type": "ALL"}, {"traffic_type": "REJECT"}),
    Case(
        "aws/endpoint_private_dns",
        "aws_vpc_endpoint",
        {"vpc_endpoint_type": "Interface", "private_dns_enabled": True},
        {"private_dns_enabled": False},
    ),
    Case(
        "aws/endpoint_policy",
        "aws_vpc_endpoint",
        {"policy": policy(allow("*", Principal="*", Condition=OWN_ENDPOINT))},
        {
            "policy": policy(allow("*", Principal="*")),
            "": {"vpc_endpoint_type": "Gateway"},
        },
    ),
    Case(
        "aws/open_egress",
        "aws_vpc_security_group_egress_rule",
        {**RULE, "cidr_ipv4": "10.40.0.0/16"},
        {"cidr_ipv4": "0.0.0.0/0", "cidr_ipv6": "::/0"},
    ),
    Case(
        "aws/open_egress",
        "aws_security_group",
        {"egress": [{"cidr_blocks": ["10.0.0.0/8"]}]},
        {"egress.0.cidr_blocks": ["10.0.0.0/8", "0.0.0.0/0"]},
    ),
    Case(
        "aws/open_ingress",
        "aws_vpc_security_group_ingress_rule",
        {**RULE, "referenced_security_group_id": "sg"},
        {"cidr_ipv4": "0.0.0.0/0"},
    ),
    Case(
        "aws/iam_wildcards",
        "aws_iam_policy",
        {"policy": policy(allow("s3:GetObject"), allow("s3:*", "arn:aws:s3:::data/*"))},
        {
            "policy": policy(allow("*")),
            "": {"policy": policy(allow(["s3:List*", "kms:*"]))},
        },
    ),
    Case(
        "aws/iam_pass_role",
        "aws_iam_role_policy",
        {"policy": policy(allow("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/x"))},
        {"policy": policy(allow("iam:PassRole"))},
    ),
    Case(
        "aws/trust_closed",
        "aws_iam_role",
        {"assume_role_policy": trust({"Service": "sagemaker.amazonaws.com"})},
        {
            "assume_role_policy": trust("*"),
            "": {"assume_role_policy": trust({"AWS": "*"})},
        },
    ),
    Case(
        "aws/oidc_subject",
        "aws_iam_role",
        {"assume_role_policy": federated(StringEquals={**AUDIENCE, **SUBJECT})},
        {
            "assume_role_policy": federated(StringEquals=AUDIENCE, StringLike=ANY_SUBJECT),
            "": {"assume_role_policy": federated(StringEquals=AUDIENCE)},
        },
    ),
    Case(
        "aws/oidc_subject",
        "aws_iam_role",
        {"assume_role_policy": federated(StringEquals={**AUDIENCE, **SUBJECT})},
        {
            "assume_role_policy": federated(StringEquals=SUBJECT),
            "": {"assume_role_policy": federated(StringEquals={**AUDIENCE, **ANY_SUBJECT})},
        },
    ),
    Case(
        "aws/secret_policy_closed",
        "aws_secretsmanager_secret_policy",
        {"block_public_policy": True},
        {"block_public_policy": False},
    ),
    Case("aws/no_users", "aws_iam_access_key", None, NEVER),
    Case(
        "aws/auditor_read_only",
        "aws_iam_role_policy_attachment",
        {
            "role": "${aws_iam_role.auditor.name}",
            "policy_arn": "arn:aws:iam::aws:policy/SecurityAudit",
        },
        {"policy_arn": "arn:aws:iam::aws:policy/PowerUserAccess"},
    ),
    Case(
        "aws/break_glass_mfa",
        "aws_iam_role",
        {
            "name": "prod-break-glass",
            "max_session_duration": 3600,
            "assume_role_policy": trust({"AWS": "arn"}, Condition=SECOND_FACTOR),
        },
        {
            "max_session_duration": 43200,
            "assume_role_policy": trust({"AWS": "arn"}),
        },
    ),
    Case(
        "aws/ecr_immutable",
        "aws_ecr_repository",
        {
            "image_tag_mutability": "IMMUTABLE",
            "encryption_configuration": [{"encryption_type": "KMS", "kms_key": "key"}],
        },
        {
            "image_tag_mutability": "MUTABLE",
            "encryption_configuration.0.encryption_type": "AES256",
            "encryption_configuration.0.kms_key": GONE,
        },
    ),
    Case(
        "aws/ecr_scanning",
        "aws_ecr_registry_scanning_configuration",
        {"scan_type": "ENHANCED", "rule": [{"scan_frequency": "CONTINUOUS_SCAN"}]},
        {"scan_type": "BASIC", "rule.0.scan_frequency": "MANUAL"},
    ),
    Case(
        "aws/signer_images",
        "aws_signer_signing_profile",
        {"platform_id": "Notation-OCI-SHA384-ECDSA"},
        {"platform_id": "AWSLambda-SHA384-ECDSA"},
    ),
    Case(
        "aws/secret_recovery",
        "aws_secretsmanager_secret",
        {"kms_key_id": "key", "recovery_window_in_days": 30},
        {"kms_key_id": GONE, "recovery_window_in_days": 0},
    ),
    Case(
        "aws/sagemaker_domain",
        "aws_sagemaker_domain",
        {
            "app_network_access_type": "VpcOnly",
            "kms_key_id": "key",
            "default_user_settings": {"sharing_settings": {"notebook_output_option": "Disabled"}},
        },
        {
            "app_network_access_type": "PublicInternetOnly",
            "kms_key_id": GONE,
            "default_user_settings.sharing_settings.notebook_output_option": "Allowed",
        },
    ),
    Case(
        "aws/sagemaker_model",
        "aws_sagemaker_model",
        {"enable_network_isolation": True, "vpc_config": {"subnets": ["a"]}},
        {"enable_network_isolation": False, "vpc_config": GONE},
    ),
    Case(
        "aws/sagemaker_endpoint",
        "aws_sagemaker_endpoint_configuration",
        {"kms_key_arn": "key"},
        {"kms_key_arn": GONE},
    ),
    Case(
        "aws/eks_private",
        "aws_eks_cluster",
        {"vpc_config": {"endpoint_private_access": True, "endpoint_public_access": False}},
        {
            "vpc_config.endpoint_public_access": True,
            "vpc_config.endpoint_private_access": False,
        },
    ),
    Case(
        "aws/eks_access",
        "aws_eks_cluster",
        {
            "access_config": {
                "authentication_mode": "API",
                "bootstrap_cluster_creator_admin_permissions": False,
            }
        },
        {
            "access_config.authentication_mode": "CONFIG_MAP",
            "access_config.bootstrap_cluster_creator_admin_permissions": True,
        },
    ),
    Case(
        "aws/eks_logs",
        "aws_eks_cluster",
        {
            "enabled_cluster_log_types": ["api", "audit", "authenticator", "controllerManager", "scheduler"],
            "encryption_config": {"provider": {"key_arn": "key"}},
        },
        {"enabled_cluster_log_types": ["api"], "encryption_config": GONE},
    ),
    Case(
        "aws/instance_metadata",
        "aws_launch_template",
        {"metadata_options": {"http_tokens": "required", "http_put_response_hop_limit": 1}},
        {
            "metadata_options.http_tokens": "optional",
            "metadata_options.http_put_response_hop_limit": 2,
            "metadata_options": GONE,
        },
    ),
    Case(
        "aws/instance_disks",
        "aws_launch_template",
        {"block_device_mappings": [{"ebs": {"encrypted": "true", "kms_key_id": "key"}}]},
        {
            "block_device_mappings.0.ebs.encrypted": "false",
            "block_device_mappings.0.ebs.kms_key_id": GONE,
        },
    ),
    Case(
        "aws/node_groups_no_ssh",
        "aws_eks_node_group",
        {"node_group_name": "gpu"},
        {"remote_access": {"ec2_ssh_key": "key"}},
    ),
    Case(
        "aws/replication",
        "aws_s3_bucket_replication_configuration",
        REPLICATION,
        {
            "rule.0.status": "Disabled",
            "rule.0.delete_marker_replication.status": "Enabled",
            "rule.0.destination.encryption_configuration": GONE,
        },
    ),
    Case(
        "aws/autoscaling_bounds",
        "aws_appautoscaling_target",
        {"min_capacity": 1, "max_capacity": 4},
        {"min_capacity": 0, "max_capacity": 1},
    ),
    Case(
        "aws/budget_notifies",
        "aws_budgets_budget",
        {"notification": [{"threshold": 80, "subscriber_email_addresses": ["a@b.example"]}]},
        {
            "notification": [],
            "notification.0.threshold": 100,
            "notification.0.subscriber_email_addresses": [],
        },
    ),
    Case(
        "aws/backup_lock",
        "aws_backup_vault_lock_configuration",
        {"changeable_for_days": 3, "min_retention_days": 35},
        {"changeable_for_days": GONE, "min_retention_days": 1},
    ),
    Case(
        "aws/backup_vault_lock",
        "aws_backup_vault",
        {"name": "vault"},
        beside={"aws_backup_vault_lock_configuration": {"backup_vault_name": "@"}},
    ),
    Case(
        "aws/prevent_destroy",
        "aws_kms_key",
        {"lifecycle": {"prevent_destroy": True}},
        {"lifecycle.prevent_destroy": False, "lifecycle": GONE},
    ),
    Case(
        "aws/no_forced_deletion",
        "aws_s3_bucket",
        {"force_destroy": False},
        {"force_destroy": True},
    ),
    Case(
        "aws/no_forced_deletion",
        "aws_ecr_repository",
        {"force_delete": False},
        {"force_delete": True},
    ),
    Case(
        "aws/cluster_deletion_protection",
        "aws_eks_cluster",
        {"deletion_protection": True},
        {"deletion_protection": False},
    ),
    Case(
        "aws/default_tags",
        "provider.aws",
        {"default_tags": [{"tags": LABELS}]},
        {"default_tags.0.tags.owner": GONE, "default_tags": GONE},
    ),
    Case(
        "aws/allowed_accounts",
        "provider.aws",
        {"allowed_account_ids": [ACCOUNT]},
        {"allowed_account_ids": GONE},
    ),
    Case("aws/bucket_website", "aws_s3_bucket", BUCKET, {"website": {"index_document": "index.html"}}),
    Case("aws/bucket_website", "aws_s3_bucket_website_configuration", None, NEVER),
    Case(
        "aws/bucket_cors",
        "aws_s3_bucket_cors_configuration",
        {"cors_rule": [{"allowed_origins": ["https://viewer.hospital.example"]}]},
        {"cors_rule.0.allowed_origins": ["*"]},
    ),
    Case(
        "aws/residency",
        "provider.aws",
        {"region": "eu-west-1"},
        {"region": "us-east-1"},
        beside={"provider.aws": {"region": "eu-central-1"}},
        bad_beside={"provider.aws": {"region": "eu-central-1"}},
    ),
    Case(
        "aws/residency",
        "aws_secretsmanager_secret",
        {"region": "eu-central-1", "replica": [{"region": "eu-west-1"}]},
        {"region": "eu-west-2", "replica.0.region": "us-east-1"},
    ),
    Case(
        "aws/rule_named",
        "aws_vpc_security_group_ingress_rule",
        RULE,
        {
            "ip_protocol": "-1",
            "": {"ip_protocol": "tcp", "from_port": 0, "to_port": 65535},
        },
    ),
    Case(
        "aws/rule_named",
        "aws_security_group",
        {"ingress": [{"protocol": "tcp", "from_port": 443, "to_port": 443}]},
        {"ingress.0.protocol": "-1", "egress": [{"protocol": "udp", "from_port": 1, "to_port": 65535}]},
    ),
    Case(
        "aws/versions_kept",
        "aws_s3_bucket_lifecycle_configuration",
        {"rule": [{"noncurrent_version_expiration": [{"noncurrent_days": 90}]}]},
        {
            "rule.0.noncurrent_version_expiration.0.noncurrent_days": 1,
            "rule.0.noncurrent_version_expiration.0": {"newer_noncurrent_versions": 1},
        },
    ),
    Case(
        "aws/name_servers",
        "aws_vpc_dhcp_options",
        {"domain_name_servers": ["AmazonProvidedDNS"]},
        {"domain_name_servers": ["AmazonProvidedDNS", "8.8.8.8"]},
    ),
)
