"""A service perimeter holds back storage, Vertex AI and logs."""

from isocenter_policies.rule import Body, Rule


class ServicePerimeter(Rule):
    id = "ISO_GCP_023"
    severity = "critical"
    title = "A service perimeter holds back storage, Vertex AI and logs"
    why = "Without it, whoever has credentials can copy patient data into another project."
    fix = (
        "Restrict storage, aiplatform, artifactregistry, secretmanager and cloudkms in status, not "
        "only in a dry run."
    )
    control = 19
    kinds = ("google_access_context_manager_service_perimeter",)

    def holds(self, body: Body) -> bool | None:
        held = set(body.texts("status.restricted_services"))
        wanted = ("storage", "aiplatform", "artifactregistry", "secretmanager", "cloudkms")
        if body.get("status.vpc_accessible_services.enable_restriction") is not True:
            return False
        return all(f"{service}.googleapis.com" in held for service in wanted)


CHECK = ServicePerimeter()
