"""Places for secrets. What Terraform puts into them is random, thrown away at once, and in no state."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn import TerraformEphemeralResource, TerraformResource, TerraformResourceLifecycle, TerraformStack
from cdktn_provider_azurerm.key_vault_secret import KeyVaultSecret
from constructs import Construct

from isocenter_infra.azure.grant import grant
from isocenter_infra.azure.identity import Identity
from isocenter_infra.azure.keys import Keys
from isocenter_infra.deployment import Deployment

SECRETS = {
    "site-secret": "Key under which identifiers become pseudonyms",
    "audit-signing-key": "Ed25519 key that signs the audit trail's tree heads",
}
_LENGTH = 64
_RANDOM = {"source": "hashicorp/random", "version": "~> 3.7"}


@dataclass(frozen=True)
class SecretsArgs:
    """What the secrets need to know.

    Args:
        deployment: they belong to.
        keys: whose vault holds them.
        identity: whose pipeline reads them.
        paths: what must lead to the vault, which has no public address.
    """

    deployment: Deployment
    keys: Keys
    identity: Identity
    paths: Sequence[TerraformResource]


class Secrets(Construct):
    """One secret each of ``SECRETS``; Azure has no empty ones, so the platform layer overwrites the value."""

    def __init__(self, scope: Construct, id_: str, args: SecretsArgs) -> None:
        super().__init__(scope, id_)
        TerraformStack.of(self).add_override("terraform.required_providers.random", _RANDOM)
        for name, description in SECRETS.items():
            secret = KeyVaultSecret(
                self,
                name,
                name=name,
                key_vault_id=args.keys.vault.vault.id,
                content_type=description,
                value_wo=self._random(name),
                value_wo_version=1,
                tags=args.deployment.labels,
                depends_on=list(args.paths),
                lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
            )
            scope_id = secret.resource_versionless_id
            grant(self, f"{name}-read", args.identity.users["pipeline"], "Key Vault Secrets User", scope_id)
            grant(
                self, f"{name}-set", args.identity.users["ci-deploy"], "Key Vault Secrets Officer", scope_id
            )

    def _random(self, name: str) -> str:
        """A reference to a text that lives while Terraform runs."""
        value = TerraformEphemeralResource(self, f"{name}-value", terraform_resource_type="random_password")
        value.add_override("length", _LENGTH)
        return f"${{ephemeral.random_password.{value.friendly_unique_id}.result}}"
