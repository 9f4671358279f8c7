"""Names and ids that are known before anything exists, so that data flows one way."""

import hashlib
import re
from dataclasses import dataclass

from isocenter.targets.settings import AzureSettings
from isocenter_infra.deployment import Deployment

_DIGEST_LENGTH = 6
# Longest names of storage accounts and key vaults, which are unique in all of Azure.
_LONGEST = 24
_STATE = "tfstate"


@dataclass(frozen=True)
class AzureNames:
    """Names of one deployment on Azure.

    Args:
        prefix: starts every name.
        global_prefix: starts every name that is unique in all of Azure.
        digest: of subscription and deployment; ends those names, so that nobody else has them.
        subscription: its id.
        tenant: its id.
        region: where all but the copies lie.
        replica_region: where the copies lie.
        network_watcher: name of the region's network watcher.
        runner_subnet: id of the subnet that Terraform runs in; empty for none.
    """

    prefix: str
    global_prefix: str
    digest: str
    subscription: str
    tenant: str
    region: str
    replica_region: str
    network_watcher: str
    runner_subnet: str

    @classmethod
    def of(cls, deployment: Deployment) -> "AzureNames":
        """The names of ``deployment``."""
        settings = deployment.settings
        azure = settings.azure
        assert isinstance(azure, AzureSettings)  # noqa: S101 - the settings' validator saw to it
        whole = f"{azure.subscription}/{settings.name}".encode()
        return cls(
            prefix=settings.name,
            global_prefix=settings.global_prefix,
            digest=hashlib.sha256(whole).hexdigest()[:_DIGEST_LENGTH],
            subscription=azure.subscription,
            tenant=azure.tenant,
            region=settings.region,
            replica_region=azure.replica_region,
            network_watcher=azure.network_watcher or f"NetworkWatcher_{settings.region}",
            runner_subnet=azure.runner_subnet,
        )

    def of_purpose(self, purpose: str) -> str:
        """Name of a resource that need only be unique in its group."""
        return f"{self.prefix}-{purpose}"

    def account(self, purpose: str) -> str:
        """Name of the storage account for ``purpose``: letters and digits only."""
        ending = re.sub(r"[^a-z0-9]", "", purpose) + self.digest
        return re.sub(r"[^a-z0-9]", "", self.global_prefix)[: _LONGEST - len(ending)] + ending

    def vault(self, purpose: str) -> str:
        """Name of the key vault for ``purpose``."""
        ending = f"-{purpose}-{self.digest}"
        return self.global_prefix[: _LONGEST - len(ending)].rstrip("-") + ending

    @property
    def registry(self) -> str:
        """Name of the container registry: letters and digits only."""
        return re.sub(r"[^a-z0-9]", "", self.global_prefix) + self.digest

    @property
    def subscription_id(self) -> str:
        """Resource id of the subscription."""
        return f"/subscriptions/{self.subscription}"

    @property
    def state_group(self) -> str:
        """Name of the resource group that holds Terraform's state."""
        return self.of_purpose(_STATE)

    @property
    def state_account(self) -> str:
        """Name of the storage account that holds Terraform's state."""
        return self.account(_STATE)

    @property
    def state_container(self) -> str:
        """Name of the container that holds Terraform's state."""
        return _STATE

    @property
    def state_container_id(self) -> str:
        """Resource id of that container."""
        group = f"{self.subscription_id}/resourceGroups/{self.state_group}"
        account = f"{group}/providers/Microsoft.Storage/storageAccounts/{self.state_account}"
        return f"{account}/blobServices/default/containers/{self.state_container}"

    @property
    def runner_network(self) -> str:
        """Resource id of the network that Terraform runs in; empty for none."""
        return self.runner_subnet.partition("/subnets/")[0]
