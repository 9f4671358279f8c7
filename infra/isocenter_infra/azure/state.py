"""Where Terraform's state lies: an encrypted, versioned container with leases, made once before all else."""

from cdktn import AzurermBackend, LocalBackend, TerraformStack
from cdktn_provider_azurerm.management_lock import ManagementLock
from constructs import Construct

from isocenter.errors import InputError
from isocenter_infra.azure.bucket import Bucket, BucketArgs
from isocenter_infra.azure.key import Key, KeyArgs
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place, PlaceArgs
from isocenter_infra.azure.provider import provide
from isocenter_infra.azure.vault import Vault, VaultArgs
from isocenter_infra.deployment import Deployment

# A new subscription has none of them switched on.
_SERVICES = (
    "Microsoft.Compute",
    "Microsoft.Consumption",
    "Microsoft.ContainerRegistry",
    "Microsoft.ContainerService",
    "Microsoft.Insights",
    "Microsoft.KeyVault",
    "Microsoft.MachineLearningServices",
    "Microsoft.ManagedIdentity",
    "Microsoft.Network",
    "Microsoft.OperationalInsights",
    "Microsoft.PolicyInsights",
    "Microsoft.Security",
    "Microsoft.Storage",
)


def keep_state(stack: TerraformStack, deployment: Deployment) -> None:
    """Make ``stack`` keep its state in the deployment's state container, or beside it before there is one."""
    if not deployment.remote_state:
        LocalBackend(stack, path="terraform.tfstate")
        return
    names = AzureNames.of(deployment)
    # The backend locks by a lease on the blob.
    AzurermBackend(
        stack,
        resource_group_name=names.state_group,
        storage_account_name=names.state_account,
        container_name=names.state_container,
        key=f"{stack.node.id}.tfstate",
        subscription_id=names.subscription,
        tenant_id=names.tenant,
        use_azuread_auth=True,
    )


class AzureState(TerraformStack):
    """The account of the state, its vault and key, and the services that are switched on."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, f"{deployment.name}-state")
        names = AzureNames.of(deployment)
        if not names.runner_subnet:
            raise InputError(
                "azure.runner_subnet is missing: the account of Terraform's state lets in only that subnet.",
                hint="Give the id of the subnet where Terraform runs, with service endpoints for"
                " Microsoft.Storage and Microsoft.KeyVault.",
            )
        provide(self, names, _SERVICES)
        place = Place(self, "place", PlaceArgs(deployment, names.state_group, names.region))
        runner = (names.runner_subnet,)
        vault = Vault(self, "vault", VaultArgs(deployment, names, place, "state", runner))
        key = Key(self, "key", KeyArgs(deployment, names, place, vault, names.state_container))
        bucket = Bucket(
            self,
            "bucket",
            BucketArgs(deployment, names, place, names.state_container, key, subnets=runner),
        )
        if deployment.protect:
            for name, scope_id in {"vault": vault.vault.id, "account": bucket.account.id}.items():
                ManagementLock(
                    self, f"{name}-lock", name="isocenter", scope=scope_id, lock_level="CanNotDelete"
                )
        keep_state(self, deployment)
