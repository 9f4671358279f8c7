"""Names that are known before anything exists."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from isocenter.targets.settings import OnpremSettings
from isocenter_infra.deployment import Deployment

# Roles of workloads: each is a service account, and the value of the label COMPONENT on its pods.
TRAINING, SERVING, PIPELINE, GATEWAY = "training", "serving", "pipeline", "gateway"
WORKLOADS = (TRAINING, SERVING, PIPELINE, GATEWAY)
COMPONENT = "app.kubernetes.io/component"
# Kubernetes itself puts this label on every namespace.
NAMESPACE_NAME = "kubernetes.io/metadata.name"
_LONGEST_LABEL = 63
_HTTPS = 443


@dataclass(frozen=True)
class OnpremNames:
    """Names of one deployment in a hospital's Kubernetes."""

    prefix: str
    bucket_prefix: str
    namespace: str
    object_store: str
    labels: dict[str, str]

    @classmethod
    def of(cls, deployment: Deployment) -> "OnpremNames":
        """The names of ``deployment``."""
        onprem = onprem_settings(deployment)
        return cls(
            prefix=f"isocenter-{deployment.name}",
            bucket_prefix=deployment.settings.global_prefix,
            namespace=onprem.namespace,
            object_store=onprem.object_store.rstrip("/"),
            labels={key: _label_value(value) for key, value in deployment.labels.items()},
        )

    def cluster_wide(self, purpose: str) -> str:
        """Name of an object that lies in no namespace and must not meet another deployment's."""
        return f"{self.prefix}-{purpose}"

    @property
    def state_namespace(self) -> str:
        """Namespace of Terraform's state: a workload's identity can't reach it."""
        return self.cluster_wide("tfstate")

    def bucket(self, purpose: str) -> str:
        """URI of the bucket for ``purpose``: below the object store's URI, or its own on a S3 service.

        The prefix keeps apart the deployments that share a store.
        """
        if self.object_store.startswith("s3://"):
            return f"{self.object_store}/{self.bucket_prefix}-{purpose}"
        return f"s3://{self.bucket_prefix}-{purpose}"

    @property
    def object_store_address(self) -> str:
        """Address of the S3 service; empty where the URI names a bucket only."""
        return "" if self.object_store.startswith("s3://") else self.object_store

    @property
    def object_store_port(self) -> int:
        """TCP port of the object store."""
        return urlsplit(self.object_store).port or _HTTPS

    def account(self, role: str) -> str:
        """How Kubernetes' access rules name the service account of ``role``."""
        return f"system:serviceaccount:{self.namespace}:{role}"


def onprem_settings(deployment: Deployment) -> OnpremSettings:
    """The part ``onprem`` of the deployment's settings."""
    assert deployment.settings.onprem is not None  # noqa: S101 - the settings' validator saw to it
    return deployment.settings.onprem


def _label_value(text: str) -> str:
    """``text`` as a label's value: 63 characters, a letter or digit at both ends."""
    return re.sub(r"^[^a-z0-9]+|[^a-z0-9]+$", "", text[:_LONGEST_LABEL])
