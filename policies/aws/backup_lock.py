"""Backups can't be deleted early, by nobody."""

from isocenter_policies.rule import Body, Rule


class BackupLock(Rule):
    id = "ISO_AWS_056"
    severity = "high"
    title = "Backups can't be deleted early, by nobody"
    why = "Ransomware deletes the backups first."
    fix = "Set changeable_for_days (which makes the lock final) and min_retention_days to 30 or more."
    control = 35
    kinds = ("aws_backup_vault_lock_configuration",)

    def holds(self, body: Body) -> bool | None:
        return body.number("changeable_for_days") >= 3 and body.number("min_retention_days") >= 30


CHECK = BackupLock()
