"""One bucket as every bucket must be: encrypted, versioned, private, TLS only, logged, kept from deletion."""

from dataclasses import dataclass

from cdktn import TerraformProvider, TerraformResourceLifecycle
from cdktn_provider_aws.s3_bucket import S3Bucket
from cdktn_provider_aws.s3_bucket_lifecycle_configuration import (
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
)
from cdktn_provider_aws.s3_bucket_logging import S3BucketLoggingA
from cdktn_provider_aws.s3_bucket_object_lock_configuration import (
    S3BucketObjectLockConfigurationA,
    S3BucketObjectLockConfigurationRuleA,
    S3BucketObjectLockConfigurationRuleDefaultRetentionA,
)
from cdktn_provider_aws.s3_bucket_ownership_controls import (
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
)
from cdktn_provider_aws.s3_bucket_policy import S3BucketPolicy
from cdktn_provider_aws.s3_bucket_public_access_block import S3BucketPublicAccessBlock
from cdktn_provider_aws.s3_bucket_server_side_encryption_configuration import (
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
)
from cdktn_provider_aws.s3_bucket_versioning import (
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
)
from constructs import Construct

from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document
from isocenter_infra.deployment import Deployment

_LEAST_TLS = "1.2"


@dataclass(frozen=True)
class BucketArgs:
    """What one bucket needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        purpose: ends its name.
        key_arn: key that encrypts it; None: S3's own, the only one that access logs can be written under.
        access_logs: bucket that takes the log of who reads it; None for none.
        takes_access_logs: S3 may write other buckets' access logs into it.
        locked_years: years that nobody can delete or overwrite an object, not even the account's root.
        statements: further statements of its policy.
        provider: of another region.
    """

    deployment: Deployment
    names: AwsNames
    purpose: str
    key_arn: str | None
    access_logs: "Bucket | None"
    takes_access_logs: bool = False
    locked_years: int | None = None
    statements: tuple[Statement, ...] = ()
    provider: TerraformProvider | None = None


class Bucket(Construct):
    """A bucket and all that belongs to it."""

    def __init__(self, scope: Construct, id_: str, args: BucketArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        self.purpose = args.purpose
        self.bucket = S3Bucket(
            self,
            "bucket",
            bucket=args.names.bucket(args.purpose),
            object_lock_enabled=args.locked_years is not None,
            force_destroy=not args.deployment.protect,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=args.deployment.protect),
            provider=args.provider,
        )
        self.versioning = S3BucketVersioningA(
            self,
            "versioning",
            bucket=self.bucket.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
            provider=args.provider,
        )
        self.lock = self._lock(args.locked_years) if args.locked_years else None
        self._encrypt()
        self._close()
        self._keep()
        if args.access_logs:
            S3BucketLoggingA(
                self,
                "logging",
                bucket=self.bucket.id,
                target_bucket=args.access_logs.bucket.bucket,
                target_prefix=f"{args.purpose}/",
                depends_on=[args.access_logs.policy],
                provider=args.provider,
            )

    def _lock(self, years: int) -> S3BucketObjectLockConfigurationA:
        retention = S3BucketObjectLockConfigurationRuleDefaultRetentionA(mode="COMPLIANCE", years=years)
        return S3BucketObjectLockConfigurationA(
            self,
            "lock",
            bucket=self.bucket.id,
            rule=S3BucketObjectLockConfigurationRuleA(default_retention=retention),
            depends_on=[self.versioning],
        )

    def _encrypt(self) -> None:
        key = self._args.key_arn
        default = S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
            sse_algorithm="aws:kms" if key else "AES256", kms_master_key_id=key
        )
        rule = S3BucketServerSideEncryptionConfigurationRuleA(
            apply_server_side_encryption_by_default=default, bucket_key_enabled=key is not None
        )
        S3BucketServerSideEncryptionConfigurationA(
            self, "encryption", bucket=self.bucket.id, rule=[rule], provider=self._args.provider
        )

    def _close(self) -> None:
        args = self._args
        closed = S3BucketPublicAccessBlock(
            self,
            "public-access",
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            provider=args.provider,
        )
        S3BucketOwnershipControls(
            self,
            "ownership",
            bucket=self.bucket.id,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
            provider=args.provider,
        )
        self.policy = S3BucketPolicy(
            self,
            "policy",
            bucket=self.bucket.id,
            policy=policy_document(*self._statements()),
            depends_on=[closed],
            provider=args.provider,
        )

    def _statements(self) -> list[Statement]:
        args = self._args
        arn = args.names.bucket_arn(args.purpose)
        both = [arn, f"{arn}/*"]
        statements = [
            Statement("OnlyTls", ["s3:*"], both, "*", "Deny", {"Bool": {"aws:SecureTransport": "false"}}),
            Statement(
                "OnlyRecentTls",
                ["s3:*"],
                both,
                "*",
                "Deny",
                {"NumericLessThan": {"s3:TlsVersion": _LEAST_TLS}},
            ),
            *args.statements,
        ]
        if args.key_arn:
            another_key = {
                "StringNotEqualsIfExists": {"s3:x-amz-server-side-encryption-aws-kms-key-id": args.key_arn}
            }
            statements.append(
                Statement("OnlyThisKey", ["s3:PutObject"], [f"{arn}/*"], "*", "Deny", another_key)
            )
        if args.takes_access_logs:
            writer = {"Service": "logging.s3.amazonaws.com"}
            from_here = {"StringEquals": {"aws:SourceAccount": args.names.account}}
            statements.append(
                Statement("AccessLogs", ["s3:PutObject"], [f"{arn}/*"], writer, condition=from_here)
            )
        return statements

    def _keep(self) -> None:
        days = self._args.deployment.settings.retention.noncurrent_days
        expires = self._args.takes_access_logs
        rule = S3BucketLifecycleConfigurationRule(
            id="tidy",
            status="Enabled",
            filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
            abort_incomplete_multipart_upload=[
                S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(days_after_initiation=7)
            ],
            noncurrent_version_expiration=[
                S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(noncurrent_days=days)
            ],
            expiration=[S3BucketLifecycleConfigurationRuleExpiration(days=self._args.deployment.audit_days)]
            if expires
            else None,
        )
        S3BucketLifecycleConfiguration(
            self,
            "lifecycle",
            bucket=self.bucket.id,
            rule=[rule],
            depends_on=[self.versioning],
            provider=self._args.provider,
        )
