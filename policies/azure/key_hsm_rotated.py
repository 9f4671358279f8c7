"""A key lives in hardware and rotates by itself."""

from isocenter_policies.rule import Body, Rule


class KeyHsmRotated(Rule):
    id = "ISO_AZURE_003"
    severity = "high"
    title = "A key lives in hardware and rotates by itself"
    why = "A key that never rotates lets one leak open every year's data."
    fix = "Set key_type to RSA-HSM and rotation_policy.automatic."
    control = 1
    kinds = ("azurerm_key_vault_key",)

    def holds(self, body: Body) -> bool | None:
        hardware = body.get("key_type") in ("RSA-HSM", "EC-HSM", "oct-HSM")
        return hardware and bool(body.blocks("rotation_policy.automatic"))


CHECK = KeyHsmRotated()
