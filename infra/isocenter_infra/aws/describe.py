"""What the AWS stack made, in the descriptor's words."""

from isocenter_infra.aws.audit import Audit
from isocenter_infra.aws.compute import Compute
from isocenter_infra.aws.identity import Identity
from isocenter_infra.aws.keys import Keys
from isocenter_infra.aws.names import AwsNames
from isocenter_infra.aws.network import Network
from isocenter_infra.aws.registry import Registry
from isocenter_infra.descriptor import Provisioned

# What the AWS provider has no resource for.
BY_PLATFORM = (
    "A SageMaker job has its network isolation, traffic encryption and keys in the request: the backend sets"
    " them, and the pipeline role's policy denies a request without.",
    "Endpoints and their variants are made by the backend, which registers each variant with Application Auto"
    " Scaling, within endpoint_bounds: Terraform can scale nothing that isn't there yet.",
    "Values of the secrets site-secret and audit-signing-key are put in by the platform, never by Terraform.",
    "An image's signature is checked against the signing profile before a job or endpoint is made from it:"
    " SageMaker admits images without looking.",
)


def provisioned(
    names: AwsNames,
    keys: Keys,
    audit: Audit,
    network: Network,
    identity: Identity,
    registry: Registry,
    compute: Compute,
) -> Provisioned:
    """The stack's side of the descriptor."""
    return Provisioned(
        backend="sagemaker",
        buckets={purpose: f"s3://{names.bucket(purpose)}" for purpose in ("data", "models", "audit", "logs")},
        keys={
            "data": keys.data.arn,
            "audit": keys.audit.arn,
            "registry": keys.registry.arn,
            "secrets": keys.secrets.arn,
        },
        registry=registry.host,
        identities=identity.arns,
        network=network.vpc.id,
        subnets=tuple(subnet.id for subnet in network.subnets),
        security_groups=(network.workloads.id,),
        workspace=compute.workspace.id if compute.workspace else "",
        log_sink=audit.log_group.arn,
        by_platform=BY_PLATFORM,
        settings={
            "account": names.account,
            "model_package_group": compute.models.model_package_group_name,
            "signing_profile": registry.signing.arn,
        },
    )
