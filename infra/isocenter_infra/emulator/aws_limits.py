"""What moto (5.2) can't hold, and why. It is left out of an emulated deployment, and printed."""

from collections.abc import Mapping

_MISSING = "moto doesn't implement it"
_UNSTABLE = "moto answers differently from what was set, so that a second plan is never empty"
_NO_CLUSTER = "an emulated EKS runs no Kubernetes"

# Resource and data source types that are left out.
RESOURCES: Mapping[str, str] = {
    "aws_accessanalyzer_analyzer": _MISSING,
    "aws_backup_selection": "its vault and plan are left out",
    "aws_backup_plan": "its vault is left out",
    "aws_backup_vault": _UNSTABLE,
    "aws_backup_vault_lock_configuration": "its vault is left out",
    "aws_budgets_budget": _MISSING,
    "aws_config_conformance_pack": _MISSING,
    "aws_s3_bucket_lifecycle_configuration": "the provider takes a minute to believe moto's answer",
    "aws_s3_account_public_access_block": _MISSING,
    "aws_sagemaker_domain": _MISSING,
    "aws_servicequotas_service_quota": _MISSING,
    "data.aws_servicequotas_service_quota": _MISSING,
    "aws_eks_addon": _MISSING,
    "aws_eks_node_group": _UNSTABLE,
    "aws_vpc_security_group_rules_exclusive": "the AWS provider 5.x lacks it: rules added by hand stay",
    "aws_launch_template": "only node groups use it, which are left out",
    "aws_guardduty_detector_feature": "moto keeps only the feature that was set last",
    "helm_release": _NO_CLUSTER,
}

# Arguments that are left out of resources that stay.
ARGUMENTS: Mapping[tuple[str, str], str] = {
    ("aws_vpc_security_group_egress_rule", "description"): "moto forgets it",
    ("aws_vpc_security_group_ingress_rule", "description"): "moto forgets it",
    ("aws_eks_cluster", "access_config"): _UNSTABLE,
    ("aws_eks_cluster", "deletion_protection"): "the AWS provider 5.x doesn't know it",
    ("aws_s3_bucket_replication_configuration", "rule.*.source_selection_criteria"): _UNSTABLE,
}

# Providers that are left out with all their resources.
PROVIDERS: Mapping[str, str] = {"helm": _NO_CLUSTER}
