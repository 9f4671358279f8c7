"""Application Insights takes and shows data by identity, inside the network."""

from isocenter_policies.rule import Body, Rule


class InsightsClosed(Rule):
    id = "ISO_AZURE_053"
    severity = "high"
    title = "Application Insights takes and shows data by identity, inside the network"
    why = "Traces describe patients' studies, and a key that is public lets anybody write false ones."
    fix = "Set internet_ingestion_enabled, internet_query_enabled and local_authentication_enabled to false."
    control = 11
    kinds = ("azurerm_application_insights",)

    def holds(self, body: Body) -> bool | None:
        names = ("internet_ingestion_enabled", "internet_query_enabled", "local_authentication_enabled")
        return all(body.get(name) is False for name in names)


CHECK = InsightsClosed()
