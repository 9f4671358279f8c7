"""Clusters and databases are protected from deletion."""

from isocenter_policies.rule import Body, Rule


class DeletionProtection(Rule):
    id = "ISO_GCP_046"
    severity = "medium"
    title = "Clusters and databases are protected from deletion"
    why = "With the cluster its running jobs and their state are gone."
    fix = "Set deletion_protection to true."
    control = 35
    kinds = (
        "google_container_cluster",
        "google_sql_database_instance",
    )

    def holds(self, body: Body) -> bool | None:
        return body.get("deletion_protection", True) is True


CHECK = DeletionProtection()
