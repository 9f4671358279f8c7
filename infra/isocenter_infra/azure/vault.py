"""One key vault as every vault must be: HSM, roles instead of policies, no public access, no purge."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.key_vault import KeyVault, KeyVaultNetworkAcls
from constructs import Construct

from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.deployment import Deployment

_LONGEST_DAYS = 90


@dataclass(frozen=True)
class VaultArgs:
    """What one vault needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        purpose: in its name.
        subnets: ids of subnets that may reach it beside its private endpoints.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    purpose: str
    subnets: tuple[str, ...] = ()


class Vault(Construct):
    """The vault."""

    def __init__(self, scope: Construct, id_: str, args: VaultArgs) -> None:
        super().__init__(scope, id_)
        self.vault = KeyVault(
            self,
            "vault",
            name=args.names.vault(args.purpose),
            tenant_id=args.names.tenant,
            sku_name="premium",
            rbac_authorization_enabled=True,
            purge_protection_enabled=True,
            soft_delete_retention_days=_LONGEST_DAYS,
            public_network_access_enabled=bool(args.subnets),
            enabled_for_deployment=False,
            enabled_for_disk_encryption=False,
            enabled_for_template_deployment=False,
            # Azure's own services (storage, registry, disks) use the keys under an identity of ours.
            network_acls=KeyVaultNetworkAcls(
                bypass="AzureServices", default_action="Deny", virtual_network_subnet_ids=list(args.subnets)
            ),
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
            **args.place.here,
        )
