"""The trail records who reads and writes objects."""

from isocenter_policies.rule import Body, Rule


class TrailDataEvents(Rule):
    id = "ISO_AWS_019"
    severity = "high"
    title = "The trail records who reads and writes objects"
    why = "Without data events nobody can say afterwards who saw a patient's images."
    fix = (
        "Add a data_resource of type AWS::S3::Object with the buckets of patient data, and "
        "read_write_type All."
    )
    control = 10
    kinds = ("aws_cloudtrail",)

    def holds(self, body: Body) -> bool | None:
        if "Data" in body.texts("advanced_event_selector.field_selector.equals"):
            return "readOnly" not in body.texts("advanced_event_selector.field_selector.field")
        return any(
            selector.get("read_write_type", "All") == "All"
            and any(
                found.get("type") == "AWS::S3::Object" and found.texts("values")
                for found in selector.blocks("data_resource")
            )
            for selector in body.blocks("event_selector")
        )


CHECK = TrailDataEvents()
