"""Everything lies in the residency zone of the default provider's region."""

from isocenter_policies.places import outside, zone_of
from isocenter_policies.rule import Body, Rule

# Since version 6 of the provider each resource may name a region of its own.
_PLACES = ("region", "replica.region", "replication_configuration.rule.destination.region")


class Residency(Rule):
    id = "ISO_AWS_066"
    severity = "high"
    title = "Everything lies in the residency zone of the default provider's region"
    why = "Patient data that leaves its zone falls under another law."
    fix = "Set region, also of the replica's provider, to a region of that zone."
    control = 15
    kinds = (
        "provider.aws",
        "aws_*",
    )

    def holds(self, body: Body) -> bool | None:
        here = [place for provider in self.providers("aws") for place in provider.texts("region")]
        places = [place for path in _PLACES for place in body.texts(path)]
        if not here or not places:
            return None
        zone = zone_of("aws", here[0])
        return bool(zone) and not outside("aws", zone, places)


CHECK = Residency()
