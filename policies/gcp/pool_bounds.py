"""An endpoint can grow."""

from isocenter_policies.rule import Body, Rule


class PoolBounds(Rule):
    id = "ISO_GCP_048"
    severity = "low"
    title = "An endpoint can grow"
    why = "An endpoint that can't grow fails when the clinic is busiest."
    fix = "Set max_replica_count above min_replica_count."
    control = 31
    kinds = ("google_vertex_ai_deployment_resource_pool",)

    def holds(self, body: Body) -> bool | None:
        least, most = (body.number(f"dedicated_resources.{end}_replica_count") for end in ("min", "max"))
        return 1 <= least < most


CHECK = PoolBounds()
