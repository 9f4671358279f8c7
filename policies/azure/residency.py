"""Everything lies in one residency zone."""

from isocenter_policies.places import outside, zone_of
from isocenter_policies.rule import Body, Rule


class Residency(Rule):
    id = "ISO_AZURE_068"
    severity = "high"
    title = "Everything lies in one residency zone"
    why = "Patient data that leaves its zone falls under another law."
    fix = "Set location to a region of the zone that the first resource group lies in."
    control = 15
    kinds = ("azurerm_*",)

    def holds(self, body: Body) -> bool | None:
        places = body.texts("location") + body.texts("georeplications.location")
        groups = self.resources("azurerm_resource_group").values()
        here = [place for group in groups for place in group.texts("location")]
        if not here or not places:
            return None
        zone = zone_of("azure", here[0])
        return bool(zone) and not outside("azure", zone, [place for place in places if place != "global"])


CHECK = Residency()
