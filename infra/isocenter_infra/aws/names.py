"""Names and ARNs that are known before anything exists, so that policies can name what is made elsewhere."""

from dataclasses import dataclass

from isocenter.targets.settings import AwsSettings
from isocenter_infra.deployment import Deployment


@dataclass(frozen=True)
class AwsNames:
    """Names of one deployment on AWS."""

    prefix: str
    bucket_prefix: str
    account: str
    region: str
    replica_region: str

    @classmethod
    def of(cls, deployment: Deployment) -> "AwsNames":
        """The names of ``deployment``."""
        settings = deployment.settings
        assert isinstance(settings.aws, AwsSettings)  # noqa: S101 - the settings' validator saw to it
        return cls(
            prefix=settings.name,
            bucket_prefix=f"{settings.global_prefix}-{settings.aws.account}",
            account=settings.aws.account,
            region=settings.region,
            replica_region=settings.aws.replica_region,
        )

    def bucket(self, purpose: str) -> str:
        """Name of the bucket for ``purpose``; the account number makes it globally unique."""
        return f"{self.bucket_prefix}-{purpose}"

    def bucket_arn(self, purpose: str) -> str:
        """ARN of the bucket for ``purpose``."""
        return f"arn:aws:s3:::{self.bucket(purpose)}"

    def role_arn(self, role: str) -> str:
        """ARN of the role ``role`` of this deployment."""
        return f"arn:aws:iam::{self.account}:role/{self.prefix}-{role}"

    def arn(self, service: str, resource: str) -> str:
        """ARN of a resource in this account and region."""
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"

    @property
    def root(self) -> str:
        """ARN that stands for the account: access is then given by its IAM policies."""
        return f"arn:aws:iam::{self.account}:root"

    @property
    def trail_arn(self) -> str:
        """ARN of the CloudTrail."""
        return self.arn("cloudtrail", f"trail/{self.prefix}-audit")
