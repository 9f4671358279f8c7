"""Terraform sets no secret's value."""

from isocenter_policies.rule import Body, Rule


class StoredValues(Rule):
    id = "ISO_ANY_002"
    severity = "critical"
    title = "Terraform sets no secret's value"
    why = "A value that Terraform sets lies in its state, readable to each one who may plan."
    fix = (
        "Let Terraform make the empty secret and put the value in by the platform, or use the write-"
        "only argument with an ephemeral value."
    )
    control = 28
    kinds = (
        "aws_secretsmanager_secret_version",
        "aws_ssm_parameter",
        "google_secret_manager_secret_version",
        "azurerm_key_vault_secret",
        "kubernetes_secret",
        "kubernetes_secret_v1",
        "kubernetes_secret_v1_data",
    )

    def holds(self, body: Body) -> bool | None:
        if body.get("type") in ("String", "StringList"):
            return None
        stored = ("secret_string", "secret_binary", "secret_data", "value", "data", "binary_data")
        literal = [
            text
            for name in ("secret_string_wo", "secret_data_wo", "value_wo", "data_wo")
            for text in body.texts(name)
        ]
        return not any(body.get(name) for name in stored) and all(
            text.startswith("${ephemeral.") for text in literal
        )


CHECK = StoredValues()
