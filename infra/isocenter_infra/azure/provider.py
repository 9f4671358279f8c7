"""The provider, set so that it neither purges, nor uses keys of accounts, nor registers what isn't needed."""

from cdktn_provider_azurerm.provider import (
    AzurermProvider,
    AzurermProviderFeatures,
    AzurermProviderFeaturesKeyVault,
    AzurermProviderFeaturesLogAnalyticsWorkspace,
    AzurermProviderFeaturesMachineLearning,
    AzurermProviderFeaturesResourceGroup,
    AzurermProviderFeaturesStorage,
)
from constructs import Construct

from isocenter_infra.azure.names import AzureNames


def provide(scope: Construct, names: AzureNames, register: tuple[str, ...] = ()) -> AzurermProvider:
    """The provider of both regions: on Azure a region is each resource's own.

    Args:
        scope: the stack.
        names: whose subscription and tenant, and no other's.
        register: Azure services to switch on in the subscription, where that isn't done.
    """
    return AzurermProvider(
        scope,
        "azurerm",
        subscription_id=names.subscription,
        tenant_id=names.tenant,
        storage_use_azuread=True,
        resource_provider_registrations="none",
        resource_providers_to_register=list(register) or None,
        features=[
            AzurermProviderFeatures(
                key_vault=[
                    AzurermProviderFeaturesKeyVault(
                        purge_soft_delete_on_destroy=False,
                        purge_soft_deleted_keys_on_destroy=False,
                        purge_soft_deleted_secrets_on_destroy=False,
                        recover_soft_deleted_key_vaults=True,
                        recover_soft_deleted_keys=True,
                        recover_soft_deleted_secrets=True,
                    )
                ],
                log_analytics_workspace=[
                    AzurermProviderFeaturesLogAnalyticsWorkspace(permanently_delete_on_destroy=False)
                ],
                machine_learning=[
                    AzurermProviderFeaturesMachineLearning(purge_soft_deleted_workspace_on_destroy=False)
                ],
                resource_group=[
                    AzurermProviderFeaturesResourceGroup(prevent_deletion_if_contains_resources=True)
                ],
                # Nobody outside the network reaches an account's own address; Azure's management does.
                storage=[AzurermProviderFeaturesStorage(data_plane_available=False)],
            )
        ],
    )
