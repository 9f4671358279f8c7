"""Names under which Azure's services are found at a private address."""

from collections.abc import Mapping

# https://learn.microsoft.com/azure/private-link/private-endpoint-dns
ZONES: Mapping[str, str] = {
    "blob": "privatelink.blob.core.windows.net",
    "dfs": "privatelink.dfs.core.windows.net",
    "file": "privatelink.file.core.windows.net",
    "vault": "privatelink.vaultcore.azure.net",
    "registry": "privatelink.azurecr.io",
    "ml-api": "privatelink.api.azureml.ms",
    "ml-notebooks": "privatelink.notebooks.azure.net",
    "monitor": "privatelink.monitor.azure.com",
    "monitor-oms": "privatelink.oms.opinsights.azure.com",
    "monitor-ods": "privatelink.ods.opinsights.azure.com",
    "monitor-agents": "privatelink.agentsvc.azure-automation.net",
}
# What an endpoint of each kind is found by: kind (Azure's subresource) -> zones.
KINDS: Mapping[str, tuple[str, ...]] = {
    "blob": ("blob",),
    "dfs": ("dfs",),
    "file": ("file",),
    "vault": ("vault",),
    "registry": ("registry",),
    "amlworkspace": ("ml-api", "ml-notebooks"),
    "azuremonitor": ("monitor", "monitor-oms", "monitor-ods", "monitor-agents", "blob"),
}
