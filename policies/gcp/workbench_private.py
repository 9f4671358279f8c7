"""A workbench has no public address, encrypted disks and a protected start."""

from isocenter_policies.rule import Body, Rule


class WorkbenchPrivate(Rule):
    id = "ISO_GCP_042"
    severity = "high"
    title = "A workbench has no public address, encrypted disks and a protected start"
    why = "A notebook with a public address is a way in and a way out."
    fix = "Set gce_setup.disable_public_ip, the disks' kms_key and shielded_instance_config."
    control = 29
    kinds = ("google_workbench_instance",)

    def holds(self, body: Body) -> bool | None:
        disks = body.blocks("gce_setup.boot_disk") + body.blocks("gce_setup.data_disks")
        private = body.get("gce_setup.disable_public_ip") is True
        shielded = body.get("gce_setup.shielded_instance_config.enable_secure_boot") is True
        private = private and body.get("gce_setup.enable_ip_forwarding", False) is False
        return private and shielded and bool(disks) and all(disk.get("kms_key") for disk in disks)


CHECK = WorkbenchPrivate()
