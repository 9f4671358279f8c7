"""Kubernetes knows people by Entra ID and pods by their own identity."""

from isocenter_policies.rule import Body, Rule


class AksIdentity(Rule):
    id = "ISO_AZURE_044"
    severity = "high"
    title = "Kubernetes knows people by Entra ID and pods by their own identity"
    why = "A local administrator is nobody in the audit trail."
    fix = (
        "Set local_account_disabled, "
        "azure_active_directory_role_based_access_control.azure_rbac_enabled, oidc_issuer_enabled and"
        " workload_identity_enabled to true."
    )
    control = 21
    kinds = ("azurerm_kubernetes_cluster",)

    def holds(self, body: Body) -> bool | None:
        people = body.get("azure_active_directory_role_based_access_control.azure_rbac_enabled") is True
        pods = body.get("workload_identity_enabled") is True and body.get("oidc_issuer_enabled") is True
        return people and pods and body.get("local_account_disabled") is True


CHECK = AksIdentity()
