"""Copies are made, and a deletion isn't copied."""

from isocenter_policies.rule import Body, Rule


class TransferKeeps(Rule):
    id = "ISO_GCP_047"
    severity = "high"
    title = "Copies are made, and a deletion isn't copied"
    why = "A deletion that reaches the copy leaves nothing to restore from."
    fix = (
        "Set status to ENABLED and leave delete_objects_unique_in_sink and "
        "delete_objects_from_source_after_transfer off."
    )
    control = 32
    kinds = ("google_storage_transfer_job",)

    def holds(self, body: Body) -> bool | None:
        options = [
            *body.blocks("transfer_spec.transfer_options"),
            *body.blocks("replication_spec.transfer_options"),
        ]
        deletes = ("delete_objects_unique_in_sink", "delete_objects_from_source_after_transfer")
        return body.get("status", "ENABLED") == "ENABLED" and not any(
            o.get(name) for o in options for name in deletes
        )


CHECK = TransferKeeps()
