"""Storage: patient data and models with a copy in the second region, and logs that aren't evidence."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_azurerm.storage_object_replication import (
    StorageObjectReplication,
    StorageObjectReplicationRules,
)
from constructs import Construct

from isocenter_infra.azure.bucket import Bucket, BucketArgs
from isocenter_infra.azure.key import Key
from isocenter_infra.azure.keys import Keys
from isocenter_infra.azure.names import AzureNames
from isocenter_infra.azure.place import Place
from isocenter_infra.deployment import Deployment


@dataclass(frozen=True)
class StorageArgs:
    """What the storage needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        place: where it lies.
        replica: where its copies lie.
        keys: that encrypt it.
    """

    deployment: Deployment
    names: AzureNames
    place: Place
    replica: Place
    keys: Keys


class Storage(Construct):
    """The buckets ``logs``, ``data``, ``models`` and the ``copies`` of the last two."""

    def __init__(self, scope: Construct, id_: str, args: StorageArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        keys = args.keys
        self.logs = self._bucket("logs", args.place, keys.audit, expires_days=args.deployment.audit_days)
        self.data = self._bucket("data", args.place, keys.data)
        self.models = self._bucket("models", args.place, keys.data)
        self.copies = [self._copy(bucket) for bucket in (self.data, self.models)]

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """All of them."""
        return (self.logs, self.data, self.models, *self.copies)

    def _bucket(self, purpose: str, place: Place, key: Key, *, expires_days: int | None = None) -> Bucket:
        args = self._args
        return Bucket(
            self,
            purpose,
            BucketArgs(
                deployment=args.deployment,
                names=args.names,
                place=place,
                purpose=purpose,
                key=key,
                expires_days=expires_days,
            ),
        )

    def _copy(self, source: Bucket) -> Bucket:
        args = self._args
        copy = self._bucket(f"{source.purpose}-copy", args.replica, args.keys.replica)
        StorageObjectReplication(
            self,
            f"{source.purpose}-replication",
            source_storage_account_id=source.account.id,
            destination_storage_account_id=copy.account.id,
            rules=[
                StorageObjectReplicationRules(
                    source_container_name=source.container.name,
                    destination_container_name=copy.container.name,
                    copy_blobs_created_after="Everything",
                )
            ],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )
        return copy
