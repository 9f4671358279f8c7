"""Container images and models: encrypted, immutable tags, scanned; images also signed, or not admitted."""

from dataclasses import dataclass

from cdktn_provider_google.artifact_registry_repository import (
    ArtifactRegistryRepository,
    ArtifactRegistryRepositoryCleanupPolicies,
    ArtifactRegistryRepositoryCleanupPoliciesCondition,
    ArtifactRegistryRepositoryDockerConfig,
    ArtifactRegistryRepositoryVulnerabilityScanningConfig,
)
from cdktn_provider_google.artifact_registry_repository_iam_member import (
    ArtifactRegistryRepositoryIamMember,
)
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.gcp.admission import Admission, AdmissionArgs
from isocenter_infra.gcp.identity import Identity
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.protection import protected

_READ, _WRITE = "roles/artifactregistry.reader", "roles/artifactregistry.writer"
_FORTNIGHT = "1209600s"


@dataclass(frozen=True)
class RegistryArgs:
    """What the registry needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
        keys: that encrypt it and sign.
        identity: who pushes and pulls.
    """

    deployment: Deployment
    names: GcpNames
    keys: Keys
    identity: Identity


class Registry(Construct):
    """The repositories ``images`` and ``models``, and the admission of signed images only."""

    def __init__(self, scope: Construct, id_: str, args: RegistryArgs) -> None:
        super().__init__(scope, id_)
        self._args = args
        names, accounts = args.names, args.identity.accounts
        place = f"{names.region}-docker.pkg.dev/{names.project}"
        self.host = f"{place}/{names.prefix}"
        self.models_host = f"{place}/{names.prefix}-models"
        self.images = self._repository("images", names.prefix, "Images of training and serving")
        self.models = self._repository("models", f"{names.prefix}-models", "Mirror of the model registry")
        for role in ("training", "serving"):
            self.let_pull(f"{role}-images", accounts[role].member)
        self._let(self.images, "ci-deploy-images", _WRITE, accounts["ci-deploy"].member)
        self._let(self.models, "serving-models", _READ, accounts["serving"].member)
        self._let(self.models, "pipeline-models", _WRITE, accounts["pipeline"].member)
        signer = accounts["ci-deploy"].member
        self.admission = Admission(
            self, "admission", AdmissionArgs(args.deployment, names, args.keys, signer)
        )

    def let_pull(self, id_: str, member: str) -> None:
        """Let ``member`` pull images."""
        self._let(self.images, id_, _READ, member)

    def _let(self, repository: ArtifactRegistryRepository, id_: str, role: str, member: str) -> None:
        ArtifactRegistryRepositoryIamMember(
            self,
            id_,
            location=self._args.names.region,
            repository=repository.name,
            role=role,
            member=member,
        )

    def _repository(self, id_: str, name: str, description: str) -> ArtifactRegistryRepository:
        args = self._args
        untagged = ArtifactRegistryRepositoryCleanupPoliciesCondition(
            tag_state="UNTAGGED", older_than=_FORTNIGHT
        )
        return ArtifactRegistryRepository(
            self,
            id_,
            repository_id=name,
            location=args.names.region,
            description=description,
            format="DOCKER",
            mode="STANDARD_REPOSITORY",
            kms_key_name=args.keys.registry.key_id,
            docker_config=ArtifactRegistryRepositoryDockerConfig(immutable_tags=True),
            vulnerability_scanning_config=ArtifactRegistryRepositoryVulnerabilityScanningConfig(
                enablement_config="INHERITED"
            ),
            # What a model was made with is tagged, and stays.
            cleanup_policies=[
                ArtifactRegistryRepositoryCleanupPolicies(id="untagged", action="DELETE", condition=untagged)
            ],
            depends_on=args.keys.registry.ready,
            **protected(args.deployment),
        )
