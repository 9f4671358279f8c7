"""One bucket as every bucket must be: encrypted, versioned, private, logged, kept from deletion."""

from collections.abc import Sequence
from dataclasses import dataclass

from cdktn_provider_google.storage_bucket import (
    StorageBucket,
    StorageBucketEncryption,
    StorageBucketEncryptionCustomerSuppliedEncryptionEnforcementConfig,
    StorageBucketEncryptionGoogleManagedEncryptionEnforcementConfig,
    StorageBucketLifecycleRule,
    StorageBucketLifecycleRuleAction,
    StorageBucketLifecycleRuleCondition,
    StorageBucketLogging,
    StorageBucketRetentionPolicy,
    StorageBucketSoftDeletePolicy,
    StorageBucketVersioning,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.key import Key
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.protection import protected

_DAY_S = 86_400
_LONGEST_SOFT_DELETE_DAYS = 90
_ONLY_THIS_KEY = "FullyRestricted"


@dataclass(frozen=True)
class BucketArgs:
    """What one bucket needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        purpose: ends its name.
        location: region that it lies in.
        key: that encrypts it.
        access_logs: bucket that takes the log of who reads it; None for none.
        locked_days: days that nobody can delete or overwrite an object, not even the project's owner.
        expire_days: days after which objects go; None: they stay.
    """

    deployment: Deployment
    names: GcpNames
    purpose: str
    location: str
    key: Key
    access_logs: "Bucket | None"
    locked_days: int | None = None
    expire_days: int | None = None


class Bucket(Construct):
    """A bucket."""

    def __init__(self, scope: Construct, id_: str, args: BucketArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.purpose = args.purpose
        self.name = args.names.bucket(args.purpose)
        kept_days = args.deployment.settings.retention.noncurrent_days
        self.bucket = StorageBucket(
            self,
            "bucket",
            name=self.name,
            location=args.location,
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            encryption=self._encryption(),
            # Versions and a retention policy exclude each other; under retention nothing is overwritten.
            versioning=None if args.locked_days else StorageBucketVersioning(enabled=True),
            retention_policy=self._retention(),
            soft_delete_policy=StorageBucketSoftDeletePolicy(
                retention_duration_seconds=min(kept_days, _LONGEST_SOFT_DELETE_DAYS) * _DAY_S
            ),
            logging=self._logging(),
            lifecycle_rule=self._rules(kept_days),
            force_destroy=not args.deployment.protect,
            depends_on=args.key.ready,
            **protected(args.deployment),
        )

    def _encryption(self) -> StorageBucketEncryption:
        return StorageBucketEncryption(
            default_kms_key_name=self._args.key.key_id,
            google_managed_encryption_enforcement_config=StorageBucketEncryptionGoogleManagedEncryptionEnforcementConfig(
                restriction_mode=_ONLY_THIS_KEY
            ),
            customer_supplied_encryption_enforcement_config=StorageBucketEncryptionCustomerSuppliedEncryptionEnforcementConfig(
                restriction_mode=_ONLY_THIS_KEY
            ),
        )

    def _retention(self) -> StorageBucketRetentionPolicy | None:
        days = self._args.locked_days
        if days is None:
            return None
        return StorageBucketRetentionPolicy(retention_period=str(days * _DAY_S), is_locked=True)

    def _logging(self) -> StorageBucketLogging | None:
        logs = self._args.access_logs
        if logs is None:
            return None
        return StorageBucketLogging(log_bucket=logs.bucket.name, log_object_prefix=self._args.purpose)

    def _rules(self, kept_days: int) -> Sequence[StorageBucketLifecycleRule]:
        conditions = [
            ("AbortIncompleteMultipartUpload", StorageBucketLifecycleRuleCondition(age=7)),
            (
                "Delete",
                StorageBucketLifecycleRuleCondition(
                    days_since_noncurrent_time=kept_days, with_state="ARCHIVED"
                ),
            ),
        ]
        if self._args.expire_days:
            conditions.append(
                ("Delete", StorageBucketLifecycleRuleCondition(age=self._args.expire_days, with_state="LIVE"))
            )
        return [
            StorageBucketLifecycleRule(
                action=StorageBucketLifecycleRuleAction(type=action), condition=condition
            )
            for action, condition in conditions
        ]
