"""Customer-managed keys, one a purpose, in the HSMs of two vaults."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn import TerraformResource
from constructs import Construct

from isocenter_infra.azure.key import Key, KeyArgs
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.azure.vault import Vault, VaultArgs
from isocenter_infra.deployment import Deployment


@dataclass(frozen=True)
class KeysArgs:
    """What the keys need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
        place: where they lie.
        replica: where the copies' key lies.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    replica: Place


class Keys(Construct):
    """The keys: ``data``, ``audit``, ``registry``, ``secrets``, and ``replica`` in the second region."""

    def __init__(self, scope: Construct, id_: str, args: KeysArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.vault = self._vault("keys", args.place)
        self.replica_vault = self._vault("copy", args.replica)
        self.data = self._key("data", self.vault, args.place)
        self.audit = self._key("audit", self.vault, args.place)
        self.registry = self._key("registry", self.vault, args.place)
        self.secrets = self._key("secrets", self.vault, args.place)
        self.replica = self._key("replica", self.replica_vault, args.replica)

    def wait_for(self, paths: Sequence[TerraformResource]) -> None:
        """Make the keys only once ``paths`` lead to their vaults, which have no public address."""
        for key in (self.data, self.audit, self.registry, self.secrets, self.replica):
            key.key.depends_on = [
                f"{path.terraform_resource_type}.{path.friendly_unique_id}" for path in paths
            ]

    def _vault(self, purpose: str, place: Place) -> Vault:
        args = self._args
        return Vault(self, f"{purpose}-vault", VaultArgs(args.deployment, args.names, place, purpose))

    def _key(self, purpose: str, vault: Vault, place: Place) -> Key:
        args = self._args
        return Key(self, purpose, KeyArgs(args.deployment, args.names, place, vault, purpose))
