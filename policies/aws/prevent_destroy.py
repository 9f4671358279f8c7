"""Data, keys and logs are kept from terraform destroy."""

from isocenter_policies.rule import Body, Rule


class PreventDestroy(Rule):
    id = "ISO_AWS_058"
    severity = "high"
    title = "Data, keys and logs are kept from terraform destroy"
    why = "One wrong destroy, or a renamed resource, would take patient data with it."
    fix = "Set lifecycle.prevent_destroy to true."
    control = 35
    kinds = (
        "aws_kms_key",
        "aws_s3_bucket",
        "aws_cloudtrail",
        "aws_cloudwatch_log_group",
        "aws_backup_vault",
        "aws_secretsmanager_secret",
        "aws_ecr_repository",
        "aws_efs_file_system",
        "aws_db_instance",
        "aws_rds_cluster",
        "aws_sagemaker_model_package_group",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("lifecycle.prevent_destroy") is True


CHECK = PreventDestroy()
