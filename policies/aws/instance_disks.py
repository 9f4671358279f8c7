"""Disks of instances are encrypted with our key."""

from isocenter_policies.rule import Body, Rule


class InstanceDisks(Rule):
    id = "ISO_AWS_051"
    severity = "high"
    title = "Disks of instances are encrypted with our key"
    why = "Training data is copied to these disks."
    fix = "Set encrypted and kms_key_id of each block device."
    control = 2
    kinds = ("aws_launch_template",)

    def holds(self, body: Body) -> bool | None:
        disks = body.blocks("block_device_mappings.ebs")
        return all(str(disk.get("encrypted")).lower() == "true" and disk.get("kms_key_id") for disk in disks)


CHECK = InstanceDisks()
