"""Container images: encrypted, in quarantine until they are checked, scanned, copied to the second region."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.container_registry import (
    ContainerRegistry,
    ContainerRegistryEncryption,
    ContainerRegistryGeoreplications,
    ContainerRegistryIdentity,
)
from constructs import Construct

from isocenter_infra.azure import trail
from isocenter_infra.azure.audit import Audit
from isocenter_infra.azure.grant import grant
from isocenter_infra.azure.identity import Identity
from isocenter_infra.azure.keys import Keys
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.network import Network
from isocenter_infra.azure.place import Place
from isocenter_infra.deployment import Deployment

_UNTAGGED_DAYS = 14
# Who may do what; nobody may delete an image, and who pushes one can't let it out of quarantine.
_GRANTS = (
    ("training", "AcrPull"),
    ("serving", "AcrPull"),
    ("ci-deploy", "AcrPush"),
    ("pipeline", "AcrPull"),
    ("pipeline", "AcrQuarantineWriter"),
)


@dataclass(frozen=True)
class RegistryArgs:
    """What the registry needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        keys: that encrypt it.
        audit: that keeps its logs.
        network: that it is reached through.
        identity: who pushes, pulls and lets out.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    keys: Keys
    audit: Audit
    network: Network
    identity: Identity


class Registry(Construct):
    """The registry, its endpoint, its logs and who may use it."""

    def __init__(self, scope: Construct, id_: str, args: RegistryArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.registry = self._registry()
        args.network.endpoints.connect(self, "registry", self.registry.id, "registry")
        args.audit.trail.follow(self, "logs", self.registry.id, trail.REGISTRY)
        for name, role in _GRANTS:
            grant(self, f"{name}-{role.lower()}", args.identity.users[name], role, self.registry.id)

    def _registry(self) -> ContainerRegistry:
        args, key = self._args, self._args.keys.registry
        return ContainerRegistry(
            self,
            "registry",
            name=args.names.registry,
            sku="Premium",
            admin_enabled=False,
            anonymous_pull_enabled=False,
            public_network_access_enabled=False,
            network_rule_bypass_option="AzureServices",
            network_rule_bypass_for_tasks_enabled=False,
            data_endpoint_enabled=True,
            export_policy_enabled=False,
            quarantine_policy_enabled=True,
            retention_policy_in_days=_UNTAGGED_DAYS,
            zone_redundancy_enabled=True,
            georeplications=[
                ContainerRegistryGeoreplications(
                    location=args.names.replica_region,
                    zone_redundancy_enabled=True,
                    global_endpoint_routing_enabled=True,
                    tags=args.place.tags,
                )
            ],
            identity=ContainerRegistryIdentity(type="UserAssigned", identity_ids=[key.user.id]),
            encryption=[
                ContainerRegistryEncryption(
                    key_vault_key_id=key.id,
                    identity_client_id=key.user.client_id,
                )
            ],
            depends_on=[key.grant],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
            **args.place.here,
        )
