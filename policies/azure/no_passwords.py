"""There are no passwords of applications and no stored keys."""

from isocenter_policies.rule import Body, Rule


class NoPasswords(Rule):
    id = "ISO_AZURE_035"
    severity = "high"
    title = "There are no passwords of applications and no stored keys"
    why = "A stored password leaks sooner or later and works until somebody notices."
    fix = "Use managed identities and federated credentials."
    control = 22
    kinds = (
        "azuread_application_password",
        "azuread_service_principal_password",
        "azurerm_container_registry_token_password",
        "azurerm_storage_account_local_user",
    )

    def holds(self, body: Body) -> bool | None:
        return False


CHECK = NoPasswords()
