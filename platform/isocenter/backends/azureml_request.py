"""A TrainingJob as a command job of Azure ML, in the YAML form that `az ml job create --file` takes.

https://learn.microsoft.com/azure/machine-learning/reference-yaml-job-command

Where a job runs and who holds the keys is not in a job's own request there: it is the workspace's. So the
plan says what the workspace must be like, and `submit` looks before it creates anything.
"""

import re
import shlex
from collections.abc import Mapping
from typing import Any

from isocenter.backends.machine_choice import choose_machine
from isocenter.backends.place import job_labels, run_uri
from isocenter.backends.request_mark import request_mark
from isocenter.backends.time_limit import time_limit_s
from isocenter.domain.digest import canonical_json
from isocenter.domain.run import RunId
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor

# Under this tag a job keeps the digest of its request: how a job is known again.
REQUEST_DIGEST = "isocenter-submission"
KINDS = ("model", "output", "checkpoints")
# Azure ML runs a command in the image, not the image's entry point.
PROGRAM = ("python", "-m", "isocenter_training")
_SCHEMA = "https://azuremlschemas.azureedge.net/latest/commandJob.schema.json"
_EXPERIMENT = "isocenter"
_BY_DIGEST = re.compile(r"^\S+@sha256:[0-9a-f]{64}$")
_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")
_IN_AZURE = ("azureml://", "abfss://", "wasbs://")
# Checkpoints are written while the job runs; the rest goes up when it ends.
_MODES = {"model": "upload", "output": "upload", "checkpoints": "rw_mount"}


def job_name(run: RunId, attempt: int) -> str:
    """The name of a run's attempt; a workspace has one job of a name."""
    return f"isocenter-{run.lower()}-{attempt}"


def output_uri(descriptor: DeploymentDescriptor, run: RunId, kind: str, attempt: int) -> str:
    """Where an attempt leaves one of ``KINDS``: checkpoints where all do, the rest in a place of its own."""
    shared = kind == "checkpoints" or attempt == 1
    return run_uri(descriptor, run, kind if shared else f"{kind}-{attempt}")


def command_job(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], job: TrainingJob, run: RunId
) -> dict[str, Any]:
    """The request for the run's first attempt: ``workspace`` (where, and what it must be like) and ``job``.

    Args:
        descriptor: of the target.
        settings: ``images`` (by use: ``training``), ``subscription``, ``resource_group``, ``datastores``
            (purpose of a bucket -> name), ``clusters`` (name, size, per_node, spot, max_nodes).
        job: with URIs for inputs.
        run: its id.

    Raises:
        InputError: Azure ML, or this deployment, can't run such a job.
    """
    body: dict[str, Any] = {
        "$schema": _SCHEMA,
        "type": "command",
        "name": job_name(run, 1),
        "display_name": job.name,
        "experiment_name": _EXPERIMENT,
        "command": _command(job, run),
        "environment": {"image": _image(settings, job)},
        "environment_variables": dict(job.environment),
        "inputs": {name: _input(descriptor, settings, name, uri) for name, uri in sorted(job.inputs.items())},
        "outputs": attempt_outputs(descriptor, settings, run, 1),
        "identity": {"type": "managed", "client_id": _identity(descriptor)},
        "tags": job_labels(descriptor, run, job.labels),
        # The job runs an image: a set commit keeps the SDK from adding the repository and branch of whatever
        # folder the user happens to stand in.
        "properties": {"mlflow.source.git.commit": ""},
        "limits": {"timeout": time_limit_s(job)},
        **_compute(descriptor, settings, job),
    }
    processes = max(job.compute.gpu_count, 1)
    if job.compute.nodes * processes > 1:
        body["distribution"] = {"type": "pytorch", "process_count_per_instance": processes}
    request = {"workspace": _workspace(descriptor, settings), "job": body}
    body["tags"] = {**body["tags"], REQUEST_DIGEST: request_mark(request, run)}
    return request


def attempt_outputs(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], run: RunId, attempt: int
) -> dict[str, Any]:
    """The ``outputs`` of a run's attempt."""
    places = {kind: output_uri(descriptor, run, kind, attempt) for kind in KINDS}
    return {
        kind: {"type": "uri_folder", "path": datastore_path(descriptor, settings, uri), "mode": _MODES[kind]}
        for kind, uri in places.items()
    }


def _workspace(descriptor: DeploymentDescriptor, settings: Mapping[str, Any]) -> dict[str, Any]:
    for field in ("subscription", "resource_group"):
        if not settings.get(field):
            raise InputError(f"The descriptor of {descriptor.name} lacks settings.{field}.")
    must: dict[str, Any] = {}
    if key := descriptor.keys.get("data"):
        # A rotated key is the same key: the last part of its id is the version.
        must["customer_managed_key"] = re.sub(r"(/keys/[^/]+)/[^/]+$", r"\1", key)
    if descriptor.network.subnets:
        must["public_network_access"] = "Disabled"
        must["managed_network"] = "AllowOnlyApprovedOutbound"
    return {
        "subscription": settings["subscription"],
        "resource_group": settings["resource_group"],
        "name": descriptor.workspace,
        # Where its private endpoints lie; its jobs run in a network of its own, that it manages.
        "subnets": list(descriptor.network.subnets),
        "must_have": must,
    }


def _command(job: TrainingJob, run: RunId) -> str:
    parameters = canonical_json(dict(job.parameters)).decode()
    words = [shlex.join((*PROGRAM, *job.command)), "--run-id", run, "--parameters", shlex.quote(parameters)]
    for name in sorted(job.inputs):
        words += ["--input", f'{name}="${{{{inputs.{name}}}}}"']
    for kind in KINDS:
        words += [f"--{kind}", f'"${{{{outputs.{kind}}}}}"']
    return " ".join(words)


def _image(settings: Mapping[str, Any], job: TrainingJob) -> str:
    image = job.image or settings.get("images", {}).get("training")
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


def _input(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], name: str, uri: str
) -> dict[str, str]:
    if not _NAME.match(name):
        raise InputError(f"{name!r} can't be the name of an input on Azure ML: letters, digits and _ only.")
    return {"type": "uri_folder", "path": datastore_path(descriptor, settings, uri), "mode": "ro_mount"}


def datastore_path(descriptor: DeploymentDescriptor, settings: Mapping[str, Any], uri: str) -> str:
    """``uri`` through the datastore of its bucket: read as the job's identity, by the private way."""
    for purpose, datastore in settings.get("datastores", {}).items():
        bucket = descriptor.buckets.get(purpose)
        if bucket and uri.startswith(f"{bucket}/"):
            return f"azureml://datastores/{datastore}/paths/{uri.removeprefix(f'{bucket}/')}"
    if not uri.startswith(_IN_AZURE):
        raise InputError(f"{uri.partition('://')[0]}:// is not Azure's storage; Azure ML reads nothing else.")
    return uri


def _identity(descriptor: DeploymentDescriptor) -> str:
    identity = descriptor.identities.get("training")
    if not identity:
        raise InputError(f"The target {descriptor.name} names no identity for training jobs.")
    return identity


def _compute(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], job: TrainingJob
) -> dict[str, Any]:
    """A cluster of the deployment for GPUs; serverless for the rest, in the same workspace's network.

    https://learn.microsoft.com/azure/machine-learning/how-to-use-serverless-compute
    """
    compute, machine = job.compute, choose_machine(descriptor, job.compute)
    if not compute.gpu_count:
        return {
            "resources": {"instance_type": machine.managed, "instance_count": compute.nodes},
            "queue_settings": {"job_tier": "spot" if compute.spot else "standard"},
        }
    what = f"{compute.gpu} x {compute.gpu_count}"
    wanted = (compute.gpu, compute.gpu_count)
    found = [each for each in settings.get("clusters", ()) if (each["size"], each["per_node"]) == wanted]
    if not found:
        raise InputError(
            f"The target {descriptor.name} has no cluster with {what}.",
            hint=f"List it under compute.gpu in deployments/{descriptor.name}.yaml and deploy again.",
        )
    cluster = next((each for each in found if bool(each["spot"]) == compute.spot), None)
    if cluster is None:
        raise InputError(
            f"The machines with {what} of {descriptor.name} may be taken away (spot); the job asks for"
            " lasting ones.",
            hint="Ask for spot: the job continues from its last checkpoint. Or choose another GPU.",
        )
    return {
        "compute": f"azureml:{cluster['name']}",
        "resources": {"instance_count": compute.nodes},
    }
