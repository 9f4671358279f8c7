"""A log sink is on and leaves nothing out."""

from isocenter_policies.rule import Body, Rule


class SinkComplete(Rule):
    id = "ISO_GCP_015"
    severity = "high"
    title = "A log sink is on and leaves nothing out"
    why = "What a sink excludes never reaches the locked store."
    fix = "Leave disabled and exclusions out."
    control = 11
    kinds = (
        "google_logging_project_sink",
        "google_logging_folder_sink",
        "google_logging_organization_sink",
    )

    def holds(self, body: Body) -> bool | None:
        own = body.get("unique_writer_identity", True) is True
        return own and body.get("disabled", False) is False and not body.blocks("exclusions")


CHECK = SinkComplete()
