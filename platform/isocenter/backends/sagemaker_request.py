"""A TrainingJob as SageMaker's CreateTrainingJob.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
"""

import re
from collections.abc import Mapping
from typing import Any

from isocenter.backends.machine_choice import choose_machine
from isocenter.backends.place import job_labels, run_uri
from isocenter.backends.request_mark import request_mark
from isocenter.backends.time_limit import time_limit_s
from isocenter.clouds.offer import Machine
from isocenter.domain.digest import canonical_json
from isocenter.domain.run import RunId
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor

# Under this name a job's environment holds the digest of its request: how a job is known again.
REQUEST_DIGEST = "ISOCENTER_REQUEST"
CHECKPOINTS = "/opt/ml/checkpoints"
_BY_DIGEST = re.compile(r"^\S+@sha256:[0-9a-f]{64}$")
_SPOT_WAIT_S = 86_400
_VOLUME_GIB = 100
_LONGEST_NAME = 63
_LONGEST_PARAMETER, _LONGEST_VARIABLE, _LONGEST_ARGUMENT = 2_500, 512, 256
_MOST_PIECES = 90
_LONGEST_KEY, _LONGEST_TAG, _MOST_TAGS = 128, 256, 50
_TAG = re.compile(r"[\w .:/=+\-@]*")
_CHANNEL = re.compile(r"[A-Za-z0-9._-]{1,64}")


def job_name(descriptor: DeploymentDescriptor, run: RunId, attempt: int) -> str:
    """The name of a run's attempt.

    It begins with the deployment's, which is what the pipeline role may create.
    """
    end = f"-{run.lower()}-{attempt}"
    return descriptor.name[: _LONGEST_NAME - len(end)].rstrip("-") + end


def training_request(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], job: TrainingJob, run: RunId
) -> dict[str, Any]:
    """The request of the run's first attempt; those after differ in the name only.

    Args:
        descriptor: of the target.
        settings: ``images`` (by use: ``training``), ``volume_gib`` (of machines without disks of their own,
            default 100), ``spot_wait_s`` (how long to wait for spot machines beyond the job's time limit,
            default a day).
        job: with URIs for inputs.
        run: its id.

    Raises:
        InputError: SageMaker, or this deployment, can't run such a job.
    """
    machine = choose_machine(descriptor, job.compute)
    request: dict[str, Any] = {
        "TrainingJobName": job_name(descriptor, run, 1),
        "RoleArn": _role(descriptor),
        "AlgorithmSpecification": _algorithm(_image(descriptor, settings, job), job),
        "HyperParameters": _hyperparameters(job, run),
        "OutputDataConfig": {"S3OutputPath": run_uri(descriptor, run, "output")},
        "CheckpointConfig": {"S3Uri": run_uri(descriptor, run, "checkpoints"), "LocalPath": CHECKPOINTS},
        "ResourceConfig": _resources(settings, machine, job.compute.nodes),
        "StoppingCondition": _limits(settings, job),
        "EnableManagedSpotTraining": job.compute.spot,
        "EnableNetworkIsolation": True,
        "EnableInterContainerTrafficEncryption": True,
        "Tags": _tags(descriptor, job, run),
    }
    if job.inputs:
        request["InputDataConfig"] = [_channel(name, uri) for name, uri in sorted(job.inputs.items())]
    _protect(request, descriptor, machine)
    request["Environment"] = _environment(job)
    request["Environment"][REQUEST_DIGEST] = request_mark(request, run)
    return request


def _role(descriptor: DeploymentDescriptor) -> str:
    role = descriptor.identities.get("training")
    if not role:
        raise InputError(f"The target {descriptor.name} names no identity for training jobs.")
    return role


def _image(descriptor: DeploymentDescriptor, settings: Mapping[str, Any], job: TrainingJob) -> str:
    image = job.image or settings.get("images", {}).get("training")
    if not image and descriptor.emulated:
        # An emulator pulls none: the installed program runs in its place.
        image = f"{descriptor.registry or 'emulated'}/training@sha256:{'0' * 64}"
    if not image:
        raise InputError(
            f"The job {job.name!r} names no image, and neither does the target.",
            hint="make image builds and pushes one; --image REF@sha256:... names it.",
        )
    if not _BY_DIGEST.match(image):
        raise InputError(
            f"The image {image!r} is not named by its digest.", hint="REF@sha256:...: a tag can be moved."
        )
    return str(image)


def _algorithm(image: str, job: TrainingJob) -> dict[str, Any]:
    algorithm: dict[str, Any] = {"TrainingImage": image, "TrainingInputMode": "File"}
    if len(job.command) != 1:
        for argument in job.command:
            _refuse_long("An argument", argument, _LONGEST_ARGUMENT)
        algorithm["ContainerArguments"] = list(job.command)
    return algorithm


def _hyperparameters(job: TrainingJob, run: RunId) -> dict[str, str]:
    """Ours: SageMaker starts the container with ``train``, so the program's name is among them.

    What is too long for one value comes in pieces (:mod:`isocenter_training.contract`).
    """
    parameters = canonical_json(dict(job.parameters)).decode()
    begins = range(0, len(parameters), _LONGEST_PARAMETER)
    if len(begins) > _MOST_PIECES:
        raise InputError(f"The parameters have {len(parameters)} characters as JSON; SageMaker takes fewer.")
    pieces = [parameters[begin : begin + _LONGEST_PARAMETER] for begin in begins]
    program = {"program": job.command[0]} if len(job.command) == 1 else {}
    named = {f"parameters_{number}": piece for number, piece in enumerate(pieces)}
    return {**program, "run_id": run, **(named if len(pieces) > 1 else {"parameters": parameters})}


def _channel(name: str, uri: str) -> dict[str, Any]:
    if not uri.startswith("s3://"):
        raise InputError(f"The input {name!r} is not in S3; SageMaker reads nothing else.")
    if not _CHANNEL.fullmatch(name):
        raise InputError(f"{name!r} can't be the name of an input channel on SageMaker.")
    # The slash keeps out other prefixes that begin alike.
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": uri.rstrip("/") + "/",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "InputMode": "File", "DataSource": {"S3DataSource": source}}


def _resources(settings: Mapping[str, Any], machine: Machine, nodes: int) -> dict[str, Any]:
    volume = int(settings.get("volume_gib", _VOLUME_GIB))
    return {"InstanceType": machine.managed, "InstanceCount": nodes, "VolumeSizeInGB": volume}


def _limits(settings: Mapping[str, Any], job: TrainingJob) -> dict[str, int]:
    runtime = time_limit_s(job)
    limits = {"MaxRuntimeInSeconds": runtime}
    if job.compute.spot:
        limits["MaxWaitTimeInSeconds"] = runtime + int(settings.get("spot_wait_s", _SPOT_WAIT_S))
    return limits


def _protect(request: dict[str, Any], descriptor: DeploymentDescriptor, machine: Machine) -> None:
    """Keys of the customer, private subnets."""
    key = descriptor.keys.get("data")
    if key:
        request["OutputDataConfig"]["KmsKeyId"] = key
        if not machine.local_storage:
            request["ResourceConfig"]["VolumeKmsKeyId"] = key
    network = descriptor.network
    if network.subnets:
        request["VpcConfig"] = {
            "Subnets": list(network.subnets),
            "SecurityGroupIds": list(network.security_groups),
        }


def _environment(job: TrainingJob) -> dict[str, str]:
    for name, value in job.environment.items():
        _refuse_long(f"The variable {name}", value, _LONGEST_VARIABLE)
    return dict(job.environment)


def _tags(descriptor: DeploymentDescriptor, job: TrainingJob, run: RunId) -> list[dict[str, str]]:
    labels = job_labels(descriptor, run, job.labels)
    if len(labels) > _MOST_TAGS:
        raise InputError(f"The job {job.name!r} has {len(labels)} labels; AWS takes {_MOST_TAGS} tags.")
    for key, value in labels.items():
        _refuse_long("The name of a label", key, _LONGEST_KEY)
        _refuse_long(f"The label {key}", value, _LONGEST_TAG)
        if not (_TAG.fullmatch(key) and _TAG.fullmatch(value)):
            raise InputError(f"The label {key!r} has a character that AWS takes in no tag.")
    return [{"Key": key, "Value": value} for key, value in sorted(labels.items())]


def _refuse_long(what: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise InputError(f"{what} has {len(text)} characters; SageMaker takes {longest}.")
