"""One customer-managed key in an HSM, rotated yearly, and the identity that services use it under."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.key_vault_key import (
    KeyVaultKey,
    KeyVaultKeyRotationPolicy,
    KeyVaultKeyRotationPolicyAutomatic,
)
from cdktn_provider_azurerm.user_assigned_identity import UserAssignedIdentity
from constructs import Construct

from isocenter_infra.azure.grant import grant
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.vault import Vault
from isocenter_infra.deployment import Deployment

_SIZE = 3072


@dataclass(frozen=True)
class KeyArgs:
    """What one key needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where its identity lies.
        vault: that holds it.
        purpose: its name.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    vault: Vault
    purpose: str


class Key(Construct):
    """The key, its user, and the grant that lets the user wrap and unwrap, and nothing else."""

    def __init__(self, scope: Construct, id_: str, args: KeyArgs) -> None:
        super().__init__(scope, id_)
        self.vault = args.vault.vault
        self.key = KeyVaultKey(
            self,
            "key",
            name=args.purpose,
            key_vault_id=self.vault.id,
            key_type="RSA-HSM",
            key_size=_SIZE,
            key_opts=["unwrapKey", "wrapKey"],
            rotation_policy=KeyVaultKeyRotationPolicy(
                automatic=KeyVaultKeyRotationPolicyAutomatic(time_after_creation="P1Y"),
                expire_after="P2Y",
                notify_before_expiry="P60D",
            ),
            tags=args.deployment.labels,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        self.user = UserAssignedIdentity(
            self, "user", name=args.names.of_purpose(f"{args.purpose}-key"), **args.place.here
        )
        self.grant = grant(
            self,
            "grant",
            self.user,
            "Key Vault Crypto Service Encryption User",
            self.key.resource_versionless_id,
        )

    @property
    def id(self) -> str:
        """Its address without a version: services follow the rotation by themselves."""
        return str(self.key.versionless_id)
