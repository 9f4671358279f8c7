"""Flow logs record accepted and rejected traffic."""

from isocenter_policies.rule import Body, Rule


class FlowLogAll(Rule):
    id = "ISO_AWS_028"
    severity = "medium"
    title = "Flow logs record accepted and rejected traffic"
    why = "Only what is recorded can be investigated."
    fix = "Set traffic_type to ALL."
    control = 17
    kinds = ("aws_flow_log",)

    def holds(self, body: Body) -> bool | None:
        return body.get("traffic_type") == "ALL"


CHECK = FlowLogAll()
