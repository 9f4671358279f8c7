"""A TrainingJob as a Vertex AI CustomJob, in the JSON of its REST reference. Pure.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs
"""

import re
from collections.abc import Mapping
from typing import Any

from isocenter.backends.machine_choice import choose_machine
from isocenter.backends.place import job_labels, run_uri
from isocenter.backends.request_mark import request_mark
from isocenter.backends.time_limit import time_limit_s
from isocenter.clouds.offer import Machine, cloud_offer
from isocenter.domain.digest import canonical_json
from isocenter.domain.run import RunId
from isocenter.domain.training_job import TrainingJob
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor

_BY_DIGEST = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
# Linux refuses longer single arguments (MAX_ARG_STRLEN).
_LONGEST_ARGUMENT = 128 * 1024 - 1
_MOST_VARIABLES = 100
_LONGEST_NAME = 128
_LONGEST_LABEL = 63
# Labels of an attempt: its number, and the digest of its request, as far as a label has room for it.
ATTEMPT, REQUEST_DIGEST = "isocenter-attempt", "isocenter-request"
_MARK = 40


def custom_job(job: TrainingJob, run: RunId, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    """The CustomJob's JSON for the run's first attempt; those after differ in name and number.

    Raises:
        InputError: Vertex AI can't run such a job, or the deployment lacks what it needs.
    """
    body: dict[str, Any] = {
        "displayName": display_name(job, run, 1),
        "jobSpec": _job_spec(job, run, descriptor),
        "labels": {label(key): label(value) for key, value in _labels(job, run, descriptor).items()},
    }
    if key := descriptor.keys.get("data"):
        body["encryptionSpec"] = {"kmsKeyName": key}
    body["labels"][ATTEMPT] = "1"
    body["labels"][REQUEST_DIGEST] = request_mark(body, run).partition(":")[2][:_MARK]
    return body


def display_name(job: TrainingJob, run: RunId, attempt: int) -> str:
    """Name of a run's attempt in Vertex AI's lists."""
    name = f"{job.name}-{run.lower()}-{attempt}"
    if len(name) > _LONGEST_NAME - 6:
        raise InputError(f"The job's name {job.name[:40]!r}... is too long for Vertex AI.")
    return name


def label(text: str) -> str:
    """``text`` in the characters that Google allows in labels.

    https://cloud.google.com/resource-manager/docs/labels-overview#requirements
    """
    return re.sub(r"[^a-z0-9_-]", "-", text.lower())[:_LONGEST_LABEL]


def project_of(descriptor: DeploymentDescriptor) -> str:
    """The project's id.

    Raises:
        InputError: the descriptor doesn't name it.
    """
    project = descriptor.settings.get("project")
    if not project:
        raise InputError(f"The descriptor of {descriptor.name} names no project.", hint="Deploy it again.")
    return str(project)


def location_of(descriptor: DeploymentDescriptor) -> str:
    """``projects/ID/locations/REGION``."""
    return f"projects/{project_of(descriptor)}/locations/{descriptor.region}"


def _labels(job: TrainingJob, run: RunId, descriptor: DeploymentDescriptor) -> Mapping[str, str]:
    return job_labels(descriptor, run, job.labels)


def _job_spec(job: TrainingJob, run: RunId, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "workerPoolSpecs": _pools(job, run, descriptor),
        "scheduling": _scheduling(job),
        "baseOutputDirectory": {"outputUriPrefix": run_uri(descriptor, run, "").rstrip("/")},
        **_network(descriptor),
    }
    if account := descriptor.identities.get("training"):
        spec["serviceAccount"] = account
    return spec


def _pools(job: TrainingJob, run: RunId, descriptor: DeploymentDescriptor) -> list[dict[str, Any]]:
    """The first pool is one machine, by Vertex AI's rule; the others are the second."""
    pool: dict[str, Any] = {
        "machineSpec": _machine(job, descriptor),
        "containerSpec": _container(job, run, descriptor),
    }
    if size := descriptor.settings.get("boot_disk_gb"):
        pool["diskSpec"] = {"bootDiskType": "pd-ssd", "bootDiskSizeGb": int(size)}
    others = job.compute.nodes - 1
    return [{**pool, "replicaCount": "1"}, *([{**pool, "replicaCount": str(others)}] if others > 0 else [])]


def _machine(job: TrainingJob, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    if not job.compute.gpu_count:
        return {"machineType": choose_machine(descriptor, job.compute).managed}
    machine = choose_machine(descriptor, job.compute)
    return {
        "machineType": machine.managed,
        "acceleratorType": machine.accelerator or _accelerator(job),
        "acceleratorCount": machine.gpus,
    }


def _accelerator(job: TrainingJob) -> str:
    """The GPU's name, for a machine type that the table lacks."""
    machines: tuple[Machine, ...] = cloud_offer("gcp").machines(job.compute.gpu or "")
    return machines[0].accelerator


def _container(job: TrainingJob, run: RunId, descriptor: DeploymentDescriptor) -> dict[str, Any]:
    arguments = [*job.command, "--run-id", run]
    arguments += ["--parameters", canonical_json(dict(job.parameters)).decode()]
    for channel, uri in sorted(job.inputs.items()):
        arguments += ["--input", f"{channel}={uri}"]
    arguments += ["--output", run_uri(descriptor, run, "output")]
    for argument in arguments:
        if len(argument.encode()) > _LONGEST_ARGUMENT:
            raise InputError(f"The job {job.name!r} has an argument of {len(argument)} characters.")
    container: dict[str, Any] = {"imageUri": _image(job, descriptor), "args": arguments}
    if job.environment:
        container["env"] = _environment(job)
    return container


def _image(job: TrainingJob, descriptor: DeploymentDescriptor) -> str:
    image = job.image or str(descriptor.settings.get("images", {}).get("training", ""))
    if not image:
        raise InputError(
            f"The target {descriptor.name} has no training image, and the job names none.",
            hint="make image builds and pushes one.",
        )
    if not _BY_DIGEST.fullmatch(image):
        raise InputError(
            f"The image {image!r} is not named by its digest: a tag may name another image tomorrow.",
            hint="Write REFERENCE@sha256:...",
        )
    return image


def _environment(job: TrainingJob) -> list[dict[str, str]]:
    if len(job.environment) > _MOST_VARIABLES:
        raise InputError(f"The job {job.name!r} has more than {_MOST_VARIABLES} environment variables.")
    return [{"name": name, "value": value} for name, value in sorted(job.environment.items())]


def _scheduling(job: TrainingJob) -> dict[str, Any]:
    """A spot job's machines may be taken away: all of its processes start again, from their checkpoint."""
    scheduling: dict[str, Any] = {
        "strategy": "SPOT" if job.compute.spot else "STANDARD",
        "timeout": f"{time_limit_s(job)}s",
    }
    if job.compute.spot or job.compute.nodes > 1:
        scheduling["restartJobOnWorkerRestart"] = True
    return scheduling


def _network(descriptor: DeploymentDescriptor) -> dict[str, Any]:
    """Through a network attachment where the deployment has one, else by peering with its network."""
    if attachment := descriptor.settings.get("network_attachment"):
        return {"pscInterfaceConfig": {"networkAttachment": attachment}}
    if peered := descriptor.settings.get("peered_network"):
        return {"network": peered}
    if descriptor.network.id or descriptor.network.subnets:
        raise InputError(
            f"The target {descriptor.name} has a private network that its Vertex AI jobs can't reach.",
            hint="Its settings name neither peered_network nor network_attachment: deploy it again.",
        )
    return {}
