"""An endpoint can grow and never shrinks to nothing."""

from isocenter_policies.rule import Body, Rule


class AutoscaleBounds(Rule):
    id = "ISO_AZURE_047"
    severity = "low"
    title = "An endpoint can grow and never shrinks to nothing"
    why = "An endpoint that can't grow fails when the clinic is busiest."
    fix = "Set capacity.minimum to 1 or more and maximum above it, and leave enabled on."
    control = 31
    kinds = ("azurerm_monitor_autoscale_setting",)

    def holds(self, body: Body) -> bool | None:
        least, most = (body.number(f"profile.capacity.{end}imum") for end in ("min", "max"))
        return 1 <= least < most and body.get("enabled", True) is True


CHECK = AutoscaleBounds()
