"""The trail records every region, global services and all management events."""

from isocenter_policies.rule import Body, Rule


class TrailComplete(Rule):
    id = "ISO_AWS_018"
    severity = "critical"
    title = "The trail records every region, global services and all management events"
    why = "An action in a region that nobody watches is not in the audit trail."
    fix = (
        "Set enable_logging, is_multi_region_trail, include_global_service_events and "
        "include_management_events to true and read_write_type to All."
    )
    control = 9
    kinds = ("aws_cloudtrail",)

    def holds(self, body: Body) -> bool | None:
        if body.get("advanced_event_selector"):
            return body.get("is_multi_region_trail") is True and body.get("enable_logging", True) is True
        selectors = body.blocks("event_selector") or [Body({})]
        return (
            body.get("enable_logging", True) is True
            and body.get("is_multi_region_trail") is True
            and body.get("include_global_service_events", True) is True
            and any(
                s.get("include_management_events", True) is True and s.get("read_write_type", "All") == "All"
                for s in selectors
            )
            and not body.texts("event_selector.exclude_management_event_sources")
        )


CHECK = TrailComplete()
