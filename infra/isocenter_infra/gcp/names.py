"""Names that are known before anything exists, so that data flows one way."""

import hashlib
from dataclasses import dataclass

from isocenter.targets.settings import GcpSettings
from isocenter_infra.deployment import Deployment

# https://cloud.google.com/iam/docs/service-agents: what Google's services act as in a project.
_AGENTS = {
    "aiplatform": "service-{}@gcp-sa-aiplatform",
    "artifactregistry": "service-{}@gcp-sa-artifactregistry",
    "asset": "service-{}@gcp-sa-cloudasset",
    "compute": "service-{}@compute-system",
    "gke": "service-{}@container-engine-robot",
    "pubsub": "service-{}@gcp-sa-pubsub",
    "secretmanager": "service-{}@gcp-sa-secretmanager",
    "storage": "service-{}@gs-project-accounts",
    "transfer": "project-{}@storage-transfer-service",
}
# Every region has a zone b; not every one has a zone a.
_ZONE = "b"


@dataclass(frozen=True)
class GcpNames:
    """Names of one deployment on Google Cloud."""

    prefix: str
    bucket_prefix: str
    project: str
    number: str
    region: str
    replica_region: str
    access_policy: str
    operators: str
    auditors: str
    approvers: str

    @classmethod
    def of(cls, deployment: Deployment) -> "GcpNames":
        """The names of ``deployment``."""
        settings, gcp = deployment.settings, deployment.settings.gcp
        assert isinstance(gcp, GcpSettings)  # noqa: S101 - the settings' validator saw to it
        return cls(
            prefix=settings.name,
            bucket_prefix=f"{settings.global_prefix}-{gcp.project_number}",
            project=gcp.project,
            number=gcp.project_number,
            region=settings.region,
            replica_region=gcp.replica_region,
            access_policy=f"accessPolicies/{gcp.access_policy}",
            operators=gcp.operators or f"group:{settings.owner}",
            auditors=gcp.auditors or f"group:{settings.security_contact}",
            approvers=gcp.approvers or f"group:{settings.security_contact}",
        )

    @property
    def zone(self) -> str:
        """A zone of the region, for what lies in one zone only."""
        return f"{self.region}-{_ZONE}"

    @property
    def project_path(self) -> str:
        """The project as other resources name it."""
        return f"projects/{self.project}"

    @property
    def short(self) -> str:
        """A name of 12 letters and digits, for what allows neither dashes nor length."""
        return f"apis{hashlib.sha256(self.prefix.encode()).hexdigest()[:8]}"

    @property
    def underscored(self) -> str:
        """The prefix, for what allows no dashes."""
        return self.prefix.replace("-", "_")

    def bucket(self, purpose: str) -> str:
        """Name of the bucket for ``purpose``; the project's number makes it globally unique."""
        return f"{self.bucket_prefix}-{purpose}"

    def account(self, role: str) -> str:
        """Address of the service account of ``role``."""
        return f"{self.prefix}-{role}@{self.project}.iam.gserviceaccount.com"

    def agent(self, service: str) -> str:
        """The service agent of a Google service in this project, as a member."""
        return f"serviceAccount:{_AGENTS[service].format(self.number)}.iam.gserviceaccount.com"

    def state_key(self, purpose: str) -> str:
        """Id of the key of Terraform's state, which lies in a ring of its own."""
        ring = f"{self.project_path}/locations/{self.region}/keyRings/{self.prefix}-{purpose}"
        return f"{ring}/cryptoKeys/{purpose}"
