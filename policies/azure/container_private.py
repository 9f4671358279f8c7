"""A container is private."""

from isocenter_policies.rule import Body, Rule


class ContainerPrivate(Rule):
    id = "ISO_AZURE_009"
    severity = "critical"
    title = "A container is private"
    why = "A public container publishes patient data."
    fix = "Set container_access_type to private."
    control = 5
    kinds = ("azurerm_storage_container",)

    def holds(self, body: Body) -> bool | None:
        return body.get("container_access_type", "private") == "private"


CHECK = ContainerPrivate()
