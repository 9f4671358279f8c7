"""An endpoint can grow and never shrinks to nothing."""

from isocenter_policies.rule import Body, Rule


class AutoscalingBounds(Rule):
    id = "ISO_AWS_054"
    severity = "low"
    title = "An endpoint can grow and never shrinks to nothing"
    why = "An endpoint that can't grow fails when the clinic is busiest."
    fix = "Set min_capacity to 1 or more and max_capacity above it."
    control = 31
    kinds = ("aws_appautoscaling_target",)

    def holds(self, body: Body) -> bool | None:
        least, most = body.number("min_capacity"), body.number("max_capacity")
        return 1 <= least < most


CHECK = AutoscalingBounds()
