"""Disks follow their key when it rotates."""

from isocenter_policies.rule import Body, Rule


class DiskKeyRotation(Rule):
    id = "ISO_AZURE_054"
    severity = "medium"
    title = "Disks follow their key when it rotates"
    why = "A disk that stays on an old version of the key is lost when that is retired."
    fix = "Set auto_key_rotation_enabled to true."
    control = 1
    kinds = ("azurerm_disk_encryption_set",)

    def holds(self, body: Body) -> bool | None:
        return body.get("auto_key_rotation_enabled") is True


CHECK = DiskKeyRotation()
