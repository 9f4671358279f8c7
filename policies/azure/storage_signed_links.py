"""A signed link to a storage account ends within a day."""

import re

from isocenter_policies.rule import Body, Rule

_PERIOD = re.compile(r"(\d+)\.(\d+):(\d+):(\d+)")


class StorageSignedLinks(Rule):
    id = "ISO_AZURE_061"
    severity = "medium"
    title = "A signed link to a storage account ends within a day"
    why = (
        "An identity signs links too (user delegation), and whoever finds a link has the data until it ends."
    )
    fix = "Set sas_policy.expiration_action to Block and expiration_period to 01.00:00:00 or less."
    control = 7
    kinds = ("azurerm_storage_account",)

    def holds(self, body: Body) -> bool | None:
        period = _PERIOD.fullmatch(body.text("sas_policy.expiration_period"))
        if not period or body.get("sas_policy.expiration_action") != "Block":
            return False
        days, hours, minutes, seconds = map(int, period.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds <= 24 * 3600


CHECK = StorageSignedLinks()
