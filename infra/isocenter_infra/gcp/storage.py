"""Buckets: patient data and models with a copy in the second region, and the logs of who reads them."""

from dataclasses import dataclass

from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.bucket import Bucket, BucketArgs
from isocenter_infra.gcp.key import Key
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames


@dataclass(frozen=True)
class StorageArgs:
    """What the storage needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
    """

    deployment: Deployment
    names: GcpNames
    keys: Keys


class Storage(Construct):
    """The buckets ``logs``, ``data``, ``models``, and ``copies`` of the last two, filled by gcp/copies.py."""

    def __init__(self, scope: Construct, id_: str, args: StorageArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        keys, here, there = args.keys, args.names.region, args.names.replica_region
        self.logs = self._bucket("logs", keys.audit, here, expire_days=args.deployment.audit_days)
        self.data = self._bucket("data", keys.data, here, access_logs=self.logs)
        self.models = self._bucket("models", keys.data, here, access_logs=self.logs)
        self.copies = {
            source: self._bucket(f"{source.purpose}-copy", keys.replica, there)
            for source in (self.data, self.models)
        }

    def _bucket(
        self,
        purpose: str,
        key: Key,
        location: str,
        *,
        access_logs: Bucket | None = None,
        expire_days: int | None = None,
    ) -> Bucket:
        args = BucketArgs(
            deployment=self._args.deployment,
            names=self._args.names,
            purpose=purpose,
            location=location,
            key=key,
            access_logs=access_logs,
            expire_days=expire_days,
        )
        return Bucket(self, purpose, args)
