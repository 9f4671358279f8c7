"""What the Google Cloud stack made, in the descriptor's words."""

from isocenter_infra.descriptor import Provisioned
from isocenter_infra.gcp.audit import Audit
from isocenter_infra.gcp.compute import Compute
from isocenter_infra.gcp.identity import Identity
from isocenter_infra.gcp.keys import Keys
from isocenter_infra.gcp.names import GcpNames
from isocenter_infra.gcp.network import Network
from isocenter_infra.gcp.registry import Registry

# What the Google provider has no resource for, or can't reach from a project.
BY_PLATFORM = (
    "A Vertex AI job has its network, key, account and GPU in the request: the backend sets them, and"
    " organisation policy refuses a request without our key.",
    "Models, endpoints and traffic splits are made through Vertex AI's API, which scales each deployed model"
    " within endpoint_bounds; its model registry mirrors Isocenter's own.",
    "An image's attestation is checked before a Vertex AI job or endpoint is made from it: Binary"
    " Authorization looks at Kubernetes only.",
    "Values of the secrets site-secret and audit-signing-key are put in, and rotated, by the platform, never"
    " by Terraform.",
    "Service agents that a new project lacks (Pub/Sub, Secret Manager, Cloud Asset, Vertex AI, Artifact"
    " Registry) are made by `gcloud beta services identity create` before the first apply.",
    "Rights above the project (organisation policies, perimeter, deny policy, lien, billing budget, Security"
    " Command Center's tier) are given to ci-deploy by the organisation's administrators.",
    "With Kubernetes, the trainer's images are mirrored into the registry and attested before its chart is"
    " installed: nodes reach no other registry and run nothing unsigned.",
    "The log buckets _Default and _Required stay beside the locked one; their place and key are settings of"
    " the organisation.",
)


def provisioned(
    names: GcpNames,
    keys: Keys,
    audit: Audit,
    network: Network,
    identity: Identity,
    registry: Registry,
    compute: Compute,
) -> Provisioned:
    """The stack's side of the descriptor."""
    return Provisioned(
        backend="vertex",
        buckets={purpose: f"gs://{names.bucket(purpose)}" for purpose in ("data", "models", "audit", "logs")},
        keys={
            "data": keys.data.key_id,
            "audit": keys.audit.key_id,
            "registry": keys.registry.key_id,
            "secrets": keys.secrets.key_id,
        },
        registry=registry.host,
        identities=identity.by_role,
        network=network.vpc.id,
        subnets=(network.subnet.id,),
        # Rules of the network hold for all in it: there is nothing to join.
        security_groups=(),
        workspace=compute.workspace,
        log_sink=audit.log_bucket.id,
        by_platform=BY_PLATFORM,
        settings={
            "project": names.project,
            "project_number": names.number,
            "peered_network": f"projects/{names.number}/global/networks/{names.prefix}",
            "models_registry": registry.models_host,
            "attestor": registry.admission.attestor.id,
            "signing_key": registry.admission.key.id,
        },
    )
