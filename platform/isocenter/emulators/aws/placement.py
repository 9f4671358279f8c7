"""What SageMaker checks of a training job beyond its types: rules between fields, and what it names."""

from collections.abc import Mapping
from typing import Any

from isocenter.clouds.offer import cloud_offer
from isocenter.emulators.aws.clients import Clients
from isocenter.emulators.aws.service_error import invalid

_NEEDED = ("AlgorithmSpecification", "ResourceConfig", "StoppingCondition")


def check_rules(request: Mapping[str, Any]) -> None:
    """Raise if fields of ``request`` don't go together.

    Raises:
        ServiceError: ValidationException.
    """
    for name in _NEEDED:
        if name not in request:
            raise invalid(f"{name} is required for a training job on instances.")
    if not request["AlgorithmSpecification"].get("TrainingImage"):
        raise invalid("One of AlgorithmName or TrainingImage must be specified.")
    resources = request["ResourceConfig"]
    for name in ("InstanceType", "InstanceCount"):
        if not resources.get(name):
            raise invalid(f"ResourceConfig needs {name}.")
    machine = resources["InstanceType"]
    known = cloud_offer("aws").named(machine)
    local = known is not None and known.local_storage
    if resources.get("VolumeKmsKeyId") and local:
        raise invalid(f"VolumeKmsKeyId can't be requested for {machine}, which has local storage.")
    if not resources.get("VolumeSizeInGB") and not local:
        raise invalid(f"VolumeSizeInGB is required for {machine}.")
    _check_spot(request)
    channels = [channel["ChannelName"] for channel in request.get("InputDataConfig", ())]
    if len(channels) != len(set(channels)):
        raise invalid("Channel names must be unique.")


def _check_spot(request: Mapping[str, Any]) -> None:
    limits = request["StoppingCondition"]
    run, wait = limits.get("MaxRuntimeInSeconds", 86_400), limits.get("MaxWaitTimeInSeconds")
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            raise invalid("MaxWaitTimeInSeconds is for managed spot training only.")
    elif wait is None or wait < run:
        raise invalid(
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to"
            " MaxRuntimeInSeconds"
        )


def check_placement(request: Mapping[str, Any], clients: Clients, region: str) -> None:
    """Raise if the role or the network that ``request`` names isn't there.

    Raises:
        ServiceError: ValidationException.
    """
    from botocore.exceptions import ClientError

    role = request["RoleArn"]
    try:
        clients.client("iam", region).get_role(RoleName=role.rpartition("/")[2])
    except ClientError as error:
        raise invalid(
            f"Could not assume role {role}. Please ensure that the role exists and allows principal"
            " 'sagemaker.amazonaws.com' to assume the role."
        ) from error
    network = request.get("VpcConfig")
    if network:
        ec2 = clients.client("ec2", region)
        try:
            ec2.describe_subnets(SubnetIds=network["Subnets"])
            ec2.describe_security_groups(GroupIds=network["SecurityGroupIds"])
        except ClientError as error:
            raise invalid(error.response["Error"]["Message"]) from error
