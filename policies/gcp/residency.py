"""What holds data lies in the residency zone of the provider's region."""

from isocenter_policies.places import outside, zone_of
from isocenter_policies.rule import Body, Rule

_PLACES = (
    "location",
    "region",
    "custom_placement_config.data_locations",
    "replication.user_managed.replicas.location",
)


class Residency(Rule):
    id = "ISO_GCP_062"
    severity = "high"
    title = "What holds data lies in the residency zone of the provider's region"
    why = "Patient data that leaves its zone falls under another law."
    fix = "Set location, or region, to a region of that zone."
    control = 15
    kinds = (
        "google_storage_bucket",
        "google_kms_key_ring",
        "google_bigquery_dataset",
        "google_healthcare_dataset",
        "google_artifact_registry_repository",
        "google_logging_project_bucket_config",
        "google_secret_manager_secret",
        "google_compute_subnetwork",
        "google_compute_disk",
        "google_container_cluster",
        "google_filestore_instance",
        "google_sql_database_instance",
        "google_vertex_ai_*",
        "google_workbench_instance",
    )

    def holds(self, body: Body) -> bool | None:
        regions = [place for provider in self.providers("google") for place in provider.texts("region")]
        places = [place for path in _PLACES for place in body.texts(path)]
        if not places and self._address.startswith("google_bigquery_dataset."):
            places = ["US"]  # where BigQuery puts it otherwise
        if not regions or not places:
            return None
        zone = zone_of("gcp", regions[0])
        return bool(zone) and not outside("gcp", zone, places)


CHECK = Residency()
