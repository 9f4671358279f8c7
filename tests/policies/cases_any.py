"""A passing and a failing document of each rule for every cloud."""

from policies.case import GONE, Case

CASES = (
    Case(
        "any/literal_secrets",
        "aws_db_instance",
        {"password": "${ephemeral.random_password.x.result}"},
        {"password": "hunter2", "": {"user_data": "export KEY=AKIA" + "A" * 16}},
    ),
    Case(
        "any/literal_secrets",
        "provider.aws",
        {"region": "eu-central-1"},
        {"access_key": "AKIA" + "A" * 16},
    ),
    Case(
        "any/stored_values",
        "azurerm_key_vault_secret",
        {"value_wo": "${ephemeral.random_password.x.result}", "value_wo_version": 1},
        {"value_wo": "s3cret", "value": "${random_password.x.result}"},
    ),
    Case(
        "any/stored_values",
        "aws_secretsmanager_secret_version",
        {"secret_id": "s"},
        {"secret_string": "${random_password.x.result}"},
    ),
    Case(
        "any/outputs_hold_no_secret",
        "output",
        {"value": "${aws_s3_bucket.data.arn}"},
        {"value": "${random_password.x.password}", "sensitive": True},
    ),
    Case(
        "any/state_backend",
        "terraform.backend",
        {"type": "s3", "bucket": "b", "encrypt": True, "use_lockfile": True, "kms_key_id": "k"},
        {"encrypt": False, "use_lockfile": False, "kms_key_id": GONE},
    ),
    Case(
        "any/state_backend",
        "terraform.backend",
        {"type": "azurerm", "use_azuread_auth": True},
        {"use_azuread_auth": False, "access_key": "x"},
    ),
    Case(
        "any/state_backend",
        "terraform.backend",
        {"type": "gcs", "bucket": "b"},
        {"bucket": GONE, "credentials": "{}"},
    ),
    Case(
        "any/no_provisioners",
        "aws_s3_bucket",
        {"bucket": "b"},
        {"provisioner": [{"local-exec": {"command": "curl"}}]},
    ),
    Case(
        "any/no_blind_spots",
        "aws_s3_bucket",
        {"lifecycle": {"ignore_changes": ["acceleration_status"]}},
        {"lifecycle.ignore_changes": "all", "lifecycle": {"ignore_changes": ["server_side_encryption"]}},
    ),
)
