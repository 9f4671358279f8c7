"""What a deployment would have made, made in moto: buckets, key, roles, network."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from isocenter.clouds.offer import cloud_offer
from isocenter.emulators.aws.clients import ACCOUNT, Clients
from isocenter.emulators.descriptor_file import emulated_labels
from isocenter.targets.descriptor import DeploymentDescriptor, DescribedNetwork, GpuOnOffer

REGION = "eu-central-1"
_PURPOSES = ("data", "models", "audit", "logs")
_CLOSED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
_TRUST = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",'
    ' "Principal": {"Service": "sagemaker.amazonaws.com"}}]}'
)
# No image is pulled: the container's program is the installed one.
_IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/emulated/training@sha256:{'0' * 64}"


def provision(clients: Clients, name: str, address: str) -> DeploymentDescriptor:
    """The target ``name`` at ``address``; what it names is there from now on. May be repeated."""
    network, key = _network(clients), _key(clients, name)
    return DeploymentDescriptor(
        name=name,
        provider="aws",
        backend="sagemaker",
        region=REGION,
        residency=cloud_offer("aws").residency(REGION),
        environment="emulated",
        buckets=_buckets(clients, name, key),
        keys={"data": key},
        registry=_IMAGE.rpartition("/")[0],
        identities={role: _role(clients, f"{name}-{role}") for role in ("training", "serving", "pipeline")},
        network=network,
        gpu=tuple(
            GpuOnOffer(size=size, per_node=machine.gpus, max_nodes=8, machine=machine.managed, spot=True)
            for size, offer in cloud_offer("aws").gpu.items()
            for machine in offer.machines
        ),
        endpoints={"aws": address},
        labels=emulated_labels(name),
        emulated=True,
        settings={"images": {"training": _IMAGE}, "model_package_group": f"{name}-models"},
    )


def _buckets(clients: Clients, name: str, key: str) -> Mapping[str, str]:
    """As a deployment's are: encrypted under its key, versioned, closed to the public."""
    s3 = clients.client("s3", REGION)
    for purpose in _PURPOSES:
        bucket = f"{name}-{purpose}"
        with suppress(s3.exceptions.BucketAlreadyOwnedByYou):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
        rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(_CLOSED, True))
        ownership = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
    return {purpose: f"s3://{name}-{purpose}" for purpose in _PURPOSES}


def _key(clients: Clients, name: str) -> str:
    kms, alias = clients.client("kms", REGION), f"alias/{name}-data"
    known = {each["AliasName"]: each for each in kms.list_aliases()["Aliases"]}
    if alias in known:
        return str(kms.describe_key(KeyId=alias)["KeyMetadata"]["Arn"])
    key = kms.create_key(Description=alias)["KeyMetadata"]
    kms.create_alias(AliasName=alias, TargetKeyId=key["KeyId"])
    return str(key["Arn"])


def _role(clients: Clients, role: str) -> str:
    iam = clients.client("iam", REGION)
    try:
        return str(iam.create_role(RoleName=role, AssumeRolePolicyDocument=_TRUST)["Role"]["Arn"])
    except iam.exceptions.EntityAlreadyExistsException:
        return str(iam.get_role(RoleName=role)["Role"]["Arn"])


def _network(clients: Clients) -> DescribedNetwork:
    """moto's default network."""
    ec2 = clients.client("ec2", REGION)
    subnets: list[Any] = ec2.describe_subnets()["Subnets"]
    vpc = subnets[0]["VpcId"]
    groups = ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["SecurityGroups"]
    return DescribedNetwork(
        id=vpc,
        subnets=tuple(sorted(each["SubnetId"] for each in subnets if each["VpcId"] == vpc)),
        security_groups=tuple(each["GroupId"] for each in groups[:1]),
    )
