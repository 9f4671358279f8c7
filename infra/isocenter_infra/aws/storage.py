"""Buckets: patient data and models with a copy in the second region, and the logs of who reads them."""

from dataclasses import dataclass

from cdktn import TerraformProvider, TerraformResourceLifecycle
from cdktn_provider_aws.iam_policy import IamPolicy
from cdktn_provider_aws.iam_role import IamRole
from cdktn_provider_aws.iam_role_policy_attachment import IamRolePolicyAttachment
from cdktn_provider_aws.s3_bucket_replication_configuration import (
    S3BucketReplicationConfigurationA,
    S3BucketReplicationConfigurationRule,
    S3BucketReplicationConfigurationRuleDeleteMarkerReplication,
    S3BucketReplicationConfigurationRuleDestination,
    S3BucketReplicationConfigurationRuleDestinationEncryptionConfiguration,
    S3BucketReplicationConfigurationRuleFilter,
    S3BucketReplicationConfigurationRuleSourceSelectionCriteria,
    S3BucketReplicationConfigurationRuleSourceSelectionCriteriaSseKmsEncryptedObjects,
)
from constructs import Construct

from isocenter_infra.aws.bucket import Bucket, BucketArgs
from isocenter_infra.aws.exclusive import only_policies
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document, trusting
from isocenter_infra.deployment import Deployment


@dataclass(frozen=True)
class StorageArgs:
    """What the storage needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it.
        replica: provider of the second region.
    """

    deployment: Deployment
    names: AwsNames
    keys: Keys
    replica: TerraformProvider


class Storage(Construct):
    """The buckets ``logs``, ``data``, ``models`` and the copies of the last two."""

    def __init__(self, scope: Construct, id_: str, args: StorageArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.logs = self._bucket("logs", None, takes_access_logs=True)
        self.data = self._bucket("data", args.keys.data.arn)
        self.models = self._bucket("models", args.keys.data.arn)
        role = self._replication_role()
        for bucket in (self.data, self.models):
            self._replicate(bucket, role)

    def _bucket(self, purpose: str, key_arn: str | None, *, takes_access_logs: bool = False) -> Bucket:
        args = self._args
        return Bucket(
            self,
            purpose,
            BucketArgs(
                deployment=args.deployment,
                names=args.names,
                purpose=purpose,
                key_arn=key_arn,
                access_logs=None if takes_access_logs else self.logs,
                takes_access_logs=takes_access_logs,
            ),
        )

    def _replication_role(self) -> IamRole:
        names, keys = self._args.names, self._args.keys
        role = IamRole(
            self,
            "replication",
            name=f"{names.prefix}-replication",
            assume_role_policy=trusting("s3", names.account),
        )
        sources = [names.bucket_arn("data"), names.bucket_arn("models")]
        copies = [f"{source}-copy/*" for source in sources]
        policy = IamPolicy(
            self,
            "replication-policy",
            name=f"{names.prefix}-replication",
            policy=policy_document(
                Statement("List", ["s3:GetReplicationConfiguration", "s3:ListBucket"], sources),
                Statement(
                    "Read",
                    [
                        "s3:GetObjectVersionForReplication",
                        "s3:GetObjectVersionAcl",
                        "s3:GetObjectVersionTagging",
                    ],
                    [f"{source}/*" for source in sources],
                ),
                Statement("Copy", ["s3:ReplicateObject", "s3:ReplicateTags"], copies),
                Statement("Decrypt", ["kms:Decrypt"], [keys.data.arn]),
                Statement("Encrypt", ["kms:Encrypt", "kms:GenerateDataKey"], [keys.replica.arn]),
            ),
        )
        attached = IamRolePolicyAttachment(
            self, "replication-attachment", role=role.name, policy_arn=policy.arn
        )
        only_policies(self, role, attached=[attached])
        return role

    def _replicate(self, source: Bucket, role: IamRole) -> None:
        args = self._args
        copy = Bucket(
            self,
            f"{source.purpose}-copy",
            BucketArgs(
                deployment=args.deployment,
                names=args.names,
                purpose=f"{source.purpose}-copy",
                key_arn=args.keys.replica.arn,
                access_logs=None,
                provider=args.replica,
            ),
        )
        S3BucketReplicationConfigurationA(
            self,
            f"{source.purpose}-replication",
            bucket=source.bucket.id,
            role=role.arn,
            rule=[_rule(copy.bucket.arn, args.keys.replica.arn)],
            depends_on=[source.versioning, copy.versioning],
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
        )


def _rule(destination: str, key_arn: str) -> S3BucketReplicationConfigurationRule:
    return S3BucketReplicationConfigurationRule(
        id="all",
        status="Enabled",
        priority=1,
        filter=S3BucketReplicationConfigurationRuleFilter(prefix=""),
        # A deletion here, by mistake or by an attacker, deletes no copy.
        delete_marker_replication=S3BucketReplicationConfigurationRuleDeleteMarkerReplication(
            status="Disabled"
        ),
        source_selection_criteria=S3BucketReplicationConfigurationRuleSourceSelectionCriteria(
            sse_kms_encrypted_objects=S3BucketReplicationConfigurationRuleSourceSelectionCriteriaSseKmsEncryptedObjects(
                status="Enabled"
            )
        ),
        destination=S3BucketReplicationConfigurationRuleDestination(
            bucket=destination,
            encryption_configuration=S3BucketReplicationConfigurationRuleDestinationEncryptionConfiguration(
                replica_kms_key_id=key_arn
            ),
        ),
    )
