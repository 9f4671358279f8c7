"""What Vertex AI checks of a CustomJob beyond its fields' names and types, as far as its reference says.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.customJobs and
https://cloud.google.com/vertex-ai/docs/training/configure-compute
"""

import re
from collections.abc import Iterator
from typing import Any

from isocenter.clouds.offer import cloud_offer
from isocenter.emulators.gcp.service_error import ServiceError

_MACHINE = re.compile(r"(n1|n2|n2d|n4|c2|c2d|c3|c4|e2|m1)-(standard|highmem|highcpu|ultramem|megamem)-\d+")
IMAGE = re.compile(r"[a-z0-9.:-]+(/[\w.-]+)+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
ACCOUNT = re.compile(r"[a-z0-9-]+@[a-z0-9.-]+\.gserviceaccount\.com")
KEY = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
NETWORK = re.compile(r"projects/\d+/global/networks/[a-z]([-a-z0-9]*[a-z0-9])?")
_ATTACHMENT = re.compile(r"projects/[^/]+/regions/[^/]+/networkAttachments/[^/]+")
_MOST_LABELS, _MOST_VARIABLES, _LONGEST_NAME = 64, 100, 128


def check_custom_job(job: Any, region: str) -> None:
    """Refuse a CustomJob that the service would refuse.

    Raises:
        ServiceError: names every field that is wrong.
    """
    faults = [*_faults(job, region)]
    if faults:
        raise ServiceError(400, "\t".join(["List of found errors:", *_numbered(faults)]))


def _numbered(faults: list[tuple[str, str]]) -> Iterator[str]:
    for number, (field, message) in enumerate(faults, 1):
        yield f"{number}.Field: {field}; Message: {message}"


def _faults(job: Any, region: str) -> Iterator[tuple[str, str]]:
    if not 0 < len(job.display_name) <= _LONGEST_NAME:
        yield "display_name", f"It must have 1 to {_LONGEST_NAME} characters."
    yield from label_faults(job.labels)
    key = job.encryption_spec.kms_key_name
    match = KEY.fullmatch(key)
    if key and (match is None or match[1] not in (region, "global")):
        yield "encryption_spec.kms_key_name", f"It is no key in {region}: {key}"
    yield from _spec_faults(job.job_spec)


def label_faults(labels: Any) -> Iterator[tuple[str, str]]:
    """Fields and what is wrong with them, of labels."""
    if len(labels) > _MOST_LABELS:
        yield "labels", f"More than {_MOST_LABELS}."
    for name, value in labels.items():
        if not _LABEL_KEY.fullmatch(name) or not _LABEL_VALUE.fullmatch(value):
            yield "labels", f"Not allowed: {name}={value}"


def _spec_faults(spec: Any) -> Iterator[tuple[str, str]]:
    if not spec.worker_pool_specs:
        yield "job_spec.worker_pool_specs", "Required."
    for number, pool in enumerate(spec.worker_pool_specs):
        for field, message in _pool_faults(pool, number):
            yield f"job_spec.worker_pool_specs[{number}].{field}", message
    if spec.service_account and not ACCOUNT.fullmatch(spec.service_account):
        yield "job_spec.service_account", f"No service account: {spec.service_account}"
    if spec.network and not NETWORK.fullmatch(spec.network):
        yield "job_spec.network", "It must be projects/NUMBER/global/networks/NAME."
    attachment = spec.psc_interface_config.network_attachment
    if spec.network and attachment:
        yield "job_spec.network", "It can't go with psc_interface_config."
    if attachment and not _ATTACHMENT.fullmatch(attachment):
        yield "job_spec.psc_interface_config", f"No network attachment: {attachment}"
    output = spec.base_output_directory.output_uri_prefix
    if output and not output.startswith("gs://"):
        yield "job_spec.base_output_directory", "It must begin with gs://."


def _pool_faults(pool: Any, number: int) -> Iterator[tuple[str, str]]:
    if number == 0 and pool.replica_count != 1:
        yield "replica_count", "The first pool has one replica."
    if pool.replica_count < 1:
        yield "replica_count", "It must be at least 1."
    if pool.WhichOneof("task") != "container_spec":
        yield "container_spec", "Required: the emulator runs containers only."
    if not IMAGE.fullmatch(pool.container_spec.image_uri):
        yield "container_spec.image_uri", f"No image: {pool.container_spec.image_uri}"
    if len(pool.container_spec.env) > _MOST_VARIABLES:
        yield "container_spec.env", f"More than {_MOST_VARIABLES}."
    yield from machine_faults(pool.machine_spec)


def machine_faults(spec: Any) -> Iterator[tuple[str, str]]:
    """Fields and what is wrong with them, of a MachineSpec."""
    sold = cloud_offer("gcp").named(spec.machine_type)
    if sold is None and not _MACHINE.fullmatch(spec.machine_type):
        yield "machine_spec.machine_type", f"Machine type {spec.machine_type!r} is not supported."
    elif sold is not None and sold.gpus:
        kind = type(spec).DESCRIPTOR.fields_by_name["accelerator_type"].enum_type
        given = kind.values_by_number[spec.accelerator_type].name
        if (given, spec.accelerator_count) != (sold.accelerator, sold.gpus):
            wanted = f"{sold.gpus} of {sold.accelerator}"
            yield (
                "machine_spec",
                f"{spec.machine_type} has {wanted}, not {spec.accelerator_count} of {given}.",
            )
    elif bool(spec.accelerator_type) != bool(spec.accelerator_count):
        yield "machine_spec", "accelerator_type and accelerator_count go together."
