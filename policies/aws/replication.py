"""Copies are made under a key, and a deletion isn't copied."""

from isocenter_policies.rule import Body, Rule


class Replication(Rule):
    id = "ISO_AWS_053"
    severity = "high"
    title = "Copies are made under a key, and a deletion isn't copied"
    why = "A deletion that reaches the copy leaves nothing to restore from."
    fix = "Set status Enabled, delete_marker_replication Disabled and the destination's replica_kms_key_id."
    control = 32
    kinds = ("aws_s3_bucket_replication_configuration",)

    def holds(self, body: Body) -> bool | None:
        return all(
            rule.get("status") == "Enabled"
            and rule.get("delete_marker_replication.status", "Disabled") == "Disabled"
            and rule.get("destination.encryption_configuration.replica_kms_key_id")
            for rule in body.blocks("rule")
        )


CHECK = Replication()
