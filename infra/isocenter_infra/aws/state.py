"""Where Terraform's state lies: an encrypted, versioned bucket with a lock, made once before all else."""

from cdktn import LocalBackend, S3Backend, TerraformResourceLifecycle, TerraformStack
from cdktn_provider_aws.kms_alias import KmsAlias
from cdktn_provider_aws.kms_key import KmsKey
from cdktn_provider_aws.provider import AwsProvider, AwsProviderDefaultTags
from constructs import Construct

from isocenter_infra.aws.bucket import Bucket, BucketArgs
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.policy_document import Statement, policy_document
from isocenter_infra.deployment import Deployment

_PURPOSE = "tfstate"


def keep_state(stack: TerraformStack, deployment: Deployment) -> None:
    """Make ``stack`` keep its state in the deployment's state bucket, or beside it before there is one."""
    if not deployment.remote_state:
        LocalBackend(stack, path="terraform.tfstate")
        return
    names = AwsNames.of(deployment)
    S3Backend(
        stack,
        bucket=names.bucket(_PURPOSE),
        key=f"{stack.node.id}.tfstate",
        region=names.region,
        encrypt=True,
        kms_key_id=f"alias/{names.prefix}-{_PURPOSE}",
        use_lockfile=True,
        allowed_account_ids=[names.account],
    )


class AwsState(TerraformStack):
    """The bucket of the state and its key."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, f"{deployment.name}-state")
        names = AwsNames.of(deployment)
        tags = [AwsProviderDefaultTags(tags=deployment.labels)]
        AwsProvider(self, "aws", region=names.region, default_tags=tags, allowed_account_ids=[names.account])
        key = KmsKey(
            self,
            "key",
            description=f"{names.prefix}: Terraform's state",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=policy_document(Statement("Administration", ["kms:*"], ["*"], {"AWS": names.root})),
            lifecycle=TerraformResourceLifecycle(prevent_destroy=deployment.protect),
        )
        KmsAlias(self, "alias", name=f"alias/{names.prefix}-{_PURPOSE}", target_key_id=key.key_id)
        Bucket(self, "bucket", BucketArgs(deployment, names, _PURPOSE, key.arn, access_logs=None))
        keep_state(self, deployment)
