"""A full bucket can't be deleted."""

from isocenter_policies.rule import Body, Rule


class NoForcedDeletion(Rule):
    id = "ISO_GCP_052"
    severity = "high"
    title = "A full bucket can't be deleted"
    why = "With force_destroy a deletion empties the bucket first."
    fix = "Set force_destroy to false."
    control = 35
    kinds = ("google_storage_bucket",)

    def holds(self, body: Body) -> bool | None:
        return body.get("force_destroy", False) is False


CHECK = NoForcedDeletion()
