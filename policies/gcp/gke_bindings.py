"""A cluster binds no role to everybody."""

from isocenter_policies.rule import Body, Rule


class GkeBindings(Rule):
    id = "ISO_GCP_055"
    severity = "critical"
    title = "A cluster binds no role to everybody"
    why = "A binding to system:authenticated is one to everybody with a Google account."
    fix = "Set both settings of rbac_binding_config to false, and service_external_ips_config.enabled too."
    control = 21
    kinds = ("google_container_cluster",)

    def holds(self, body: Body) -> bool | None:
        names = (
            "rbac_binding_config.enable_insecure_binding_system_authenticated",
            "rbac_binding_config.enable_insecure_binding_system_unauthenticated",
        )
        external = body.get("service_external_ips_config.enabled", False) is False
        return external and all(body.get(name) is False for name in names)


CHECK = GkeBindings()
