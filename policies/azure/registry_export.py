"""Images can't be exported from the registry."""

from isocenter_policies.rule import Body, Rule


class RegistryExport(Rule):
    id = "ISO_AZURE_037"
    severity = "medium"
    title = "Images can't be exported from the registry"
    why = "A model inside an image can leave by export."
    fix = "Set export_policy_enabled to false."
    control = 19
    kinds = ("azurerm_container_registry",)

    def holds(self, body: Body) -> bool | None:
        return body.get("export_policy_enabled") is False


CHECK = RegistryExport()
