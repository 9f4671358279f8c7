"""Reads and writes of data are logged for every service and everybody."""

from isocenter_policies.rule import Body, Rule


class AuditConfig(Rule):
    id = "ISO_GCP_011"
    severity = "critical"
    title = "Reads and writes of data are logged for every service and everybody"
    why = "Without data-access logs nobody can say who saw a patient's images."
    fix = (
        "Set service to allServices, log types ADMIN_READ, DATA_READ and DATA_WRITE, and no exempted members."
    )
    control = 10
    kinds = (
        "google_project_iam_audit_config",
        "google_folder_iam_audit_config",
        "google_organization_iam_audit_config",
    )

    def holds(self, body: Body) -> bool | None:
        logged = set(body.texts("audit_log_config.log_type"))
        exempted = [member for member in body.texts("audit_log_config.exempted_members") if member]
        everything = {"ADMIN_READ", "DATA_READ", "DATA_WRITE"} <= logged
        return body.get("service") == "allServices" and everything and not exempted


CHECK = AuditConfig()
