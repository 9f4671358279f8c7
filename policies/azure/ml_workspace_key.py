"""The ML workspace is private, under our key, and treats its data as sensitive."""

from isocenter_policies.rule import Body, Rule


class MlWorkspaceKey(Rule):
    id = "ISO_AZURE_039"
    severity = "high"
    title = "The ML workspace is private, under our key, and treats its data as sensitive"
    why = "A workspace holds data, models and the identities of jobs."
    fix = (
        "Set encryption.key_id, public_network_access_enabled false, high_business_impact true and "
        "v1_legacy_mode_enabled false."
    )
    control = 29
    kinds = ("azurerm_machine_learning_workspace",)

    def holds(self, body: Body) -> bool | None:
        private = (
            body.get("public_network_access_enabled") is False
            and body.get("v1_legacy_mode_enabled", False) is False
        )
        return private and bool(body.get("encryption.key_id")) and body.get("high_business_impact") is True


CHECK = MlWorkspaceKey()
