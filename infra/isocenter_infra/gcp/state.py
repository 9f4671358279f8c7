"""Where Terraform's state lies: an encrypted, versioned bucket, made once before all else, with the APIs."""

from cdktn import GcsBackend, LocalBackend, TerraformResourceLifecycle, TerraformStack
from cdktn_provider_google.data_google_storage_project_service_account import (
    DataGoogleStorageProjectServiceAccount,
)
from cdktn_provider_google.kms_key_ring import KmsKeyRing
from cdktn_provider_google.project_service import ProjectService
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.bucket import Bucket, BucketArgs
from isocenter_infra.gcp.google_provider import add_provider
from isocenter_infra.gcp.key import Key, KeyArgs
from isocenter_infra.gcp.names import GcpNames

_PURPOSE = "tfstate"
# All that the deployment uses: a service must be on before anything of it is made.
_SERVICES = (
    *("accesscontextmanager", "aiplatform", "artifactregistry", "billingbudgets", "binaryauthorization"),
    *("cloudasset", "cloudkms", "cloudquotas", "cloudresourcemanager", "compute", "container"),
    *("containeranalysis", "containerscanning", "dns", "iam", "iamcredentials", "logging", "monitoring"),
    *("notebooks", "orgpolicy", "privilegedaccessmanager", "pubsub", "secretmanager", "securitycenter"),
    *("servicenetworking", "serviceusage", "storage", "storagetransfer", "sts"),
)


def keep_state(stack: TerraformStack, deployment: Deployment) -> None:
    """Make ``stack`` keep its state in the deployment's state bucket, or beside it before there is one."""
    if not deployment.remote_state:
        LocalBackend(stack, path="terraform.tfstate")
        return
    names = GcpNames.of(deployment)
    # Cloud Storage locks by itself: the lock is an object that is written only where there is none.
    GcsBackend(
        stack,
        bucket=names.bucket(_PURPOSE),
        prefix=stack.node.id,
        kms_encryption_key=names.state_key(_PURPOSE),
    )


class GcpState(TerraformStack):
    """The services, and the bucket of the state and its key."""

    def __init__(self, scope: Construct, deployment: Deployment) -> None:
        super().__init__(scope, f"{deployment.name}-state")
        names = GcpNames.of(deployment)
        add_provider(self, deployment, names)
        services = [
            ProjectService(
                self,
                service,
                project=names.project,
                service=f"{service}.googleapis.com",
                disable_on_destroy=False,
            )
            for service in _SERVICES
        ]
        # Reading it brings the account into being.
        agent = DataGoogleStorageProjectServiceAccount(self, "agent", depends_on=services)
        ring = KmsKeyRing(
            self,
            "ring",
            name=f"{names.prefix}-{_PURPOSE}",
            location=names.region,
            depends_on=services,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=deployment.protect),
        )
        users = {"storage": f"serviceAccount:{agent.email_address}"}
        key = Key(self, "key", KeyArgs(deployment, ring, _PURPOSE, users))
        Bucket(
            self,
            "bucket",
            BucketArgs(
                deployment=deployment,
                names=names,
                purpose=_PURPOSE,
                location=names.region,
                key=key,
                access_logs=None,
            ),
        )
        keep_state(self, deployment)
