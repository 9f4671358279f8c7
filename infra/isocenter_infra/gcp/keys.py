"""Customer-managed keys, one a purpose, in HSMs, rotated every 90 days; and which services use each."""

from dataclasses import dataclass

from cdktn import TerraformResourceLifecycle
from cdktn_provider_google.data_google_logging_project_cmek_settings import (
    DataGoogleLoggingProjectCmekSettings,
)
from cdktn_provider_google.kms_key_ring import KmsKeyRing
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.key import Key, KeyArgs
from isocenter_infra.gcp.names import GcpNames


@dataclass(frozen=True)
class KeysArgs:
    """What the keys need to know.

    Args:
        deployment: they belong to.
        names: of the deployment.
    """

    deployment: Deployment
    names: GcpNames


class Keys(Construct):
    """The keys: ``data``, ``audit``, ``registry``, ``secrets``, and ``replica`` in the second region."""

    def __init__(self, scope: Construct, id_: str, args: KeysArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        names = args.names
        self.ring = self._ring("ring", names.region)
        replica_ring = self._ring("replica-ring", names.replica_region)
        # Only Cloud Logging knows which account it encrypts as.
        logging = DataGoogleLoggingProjectCmekSettings(self, "logging", project=names.project)
        logs = {"logging": f"serviceAccount:{logging.service_account_id}"}
        gke = ["gke"] if args.deployment.settings.compute.kubernetes else []
        self.data = self._key("data", self._agents("storage", "aiplatform", "compute"))
        self.audit = self._key("audit", self._agents("storage", "pubsub") | logs)
        self.registry = self._key("registry", self._agents("artifactregistry"))
        self.secrets = self._key("secrets", self._agents("secretmanager", "pubsub", *gke))
        self.replica = self._key("replica", self._agents("storage", "secretmanager"), replica_ring)

    def _ring(self, id_: str, location: str) -> KmsKeyRing:
        return KmsKeyRing(
            self,
            id_,
            name=self._args.names.prefix,
            location=location,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=self._args.deployment.protect),
        )

    def _key(self, purpose: str, users: dict[str, str], ring: KmsKeyRing | None = None) -> Key:
        args = KeyArgs(self._args.deployment, ring or self.ring, purpose, users)
        return Key(self, purpose, args)

    def _agents(self, *services: str) -> dict[str, str]:
        return {service: self._args.names.agent(service) for service in services}
