"""What the API server refuses: unknown and ill-typed fields, and the rules that a schema can't say.

Built-in kinds are held against Kubernetes' own schemas (kubernetes-validate), Kubeflow's against its own
models (kubeflow-trainer-api). Real servers only warn of unknown fields unless ``fieldValidation=Strict`` is
asked for; this one always refuses them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import kubernetes_validate
from kubeflow_trainer_api import models as trainer_models
from pydantic import ValidationError

VERSION = "1.31"  # the oldest release that Isocenter's stacks are made for
TRAINER = "trainer.kubeflow.org/v1alpha1"
Object = dict[str, Any]
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_TRAINJOB_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
_LABEL_KEY = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_VARIABLE = re.compile(r"[-._a-zA-Z][-._a-zA-Z0-9]*")
_AMOUNT = re.compile(r"\d+(\.\d+)?([numkMGTPE]|[KMGTPE]i)?")
_LARGEST = 1_500_000  # what etcd takes


@dataclass
class RefusedError(Exception):
    """Why an object is not taken: the HTTP status, Kubernetes' reason, and what to tell."""

    status: int
    reason: str
    message: str


def check(thing: Object) -> None:
    """Raise unless the server would take the new object.

    Raises:
        RefusedError: with the status and message that a server answers.
    """
    if thing.get("apiVersion") == TRAINER:
        _check_trainer(thing)
    else:
        _check_built_in(thing)
    faults = list(_metadata_faults(thing))
    if thing["kind"] == "Job":
        faults += _job_faults(thing["spec"], "spec")
    if faults:
        raise invalid(thing, faults)


def invalid(thing: Object, faults: list[str]) -> RefusedError:
    """The refusal of an object whose fields don't fit one another."""
    name = thing["metadata"].get("name", "")
    listed = faults[0] if len(faults) == 1 else f"[{', '.join(faults)}]"
    return RefusedError(422, "Invalid", f'{thing["kind"]} "{name}" is invalid: {listed}')


def _check_built_in(thing: Object) -> None:
    try:
        kubernetes_validate.validate(thing, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        where = ".".join(str(part) for part in error.absolute_path)
        if error.validator == "additionalProperties":
            unknown = re.findall(r"'([^']+)'", error.message.split("(")[-1])
            field = ".".join(filter(None, (where, unknown[0] if unknown else "")))
            raise _undecodable(thing, f'strict decoding error: unknown field "{field}"') from None
        if error.validator in ("type", "oneOf", "anyOf"):
            raise _undecodable(
                thing, f"json: cannot unmarshal {where or 'object'}: {error.message}"
            ) from None
        raise invalid(thing, [f"{where}: {error.message}"]) from None
    except kubernetes_validate.SchemaNotFoundError:
        raise _undecodable(thing, f'no kind "{thing["kind"]}" is registered') from None


def _undecodable(thing: Object, why: str) -> RefusedError:
    message = (
        f'{thing["kind"]} in version "{thing["apiVersion"]}" cannot be handled as a {thing["kind"]}: {why}'
    )
    return RefusedError(400, "BadRequest", message)


def _check_trainer(thing: Object) -> None:
    models: Mapping[str, Any] = {
        "TrainJob": trainer_models.TrainerV1alpha1TrainJob,
        "TrainingRuntime": trainer_models.TrainerV1alpha1TrainingRuntime,
    }
    try:
        understood = models[thing["kind"]].from_dict(thing).to_dict()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise invalid(thing, [f"{where}: {first['msg']}"]) from None
    for field in _lost(thing, understood, ""):
        raise _undecodable(thing, f'strict decoding error: unknown field "{field}"')
    name = thing["metadata"].get("name", "")
    if thing["kind"] == "TrainJob" and not _TRAINJOB_NAME.fullmatch(name):
        raise invalid(thing, ["metadata.name must match RFC 1035 DNS label format"])
    if thing["kind"] == "TrainingRuntime":
        _check_runtime(thing)


def _check_runtime(thing: Object) -> None:
    """The Jobs in it are Kubernetes' own: held against its schema, as JobSet's controller would make them."""
    jobs = thing["spec"].get("template", {}).get("spec", {}).get("replicatedJobs") or []
    if not jobs:
        raise invalid(thing, ["spec.template.spec.replicatedJobs: Required value"])
    for job in jobs:
        if job.get("replicas", 1) != 1:
            raise invalid(thing, [f"spec.template.spec.replicatedJobs[{job['name']}].replicas: must be 1"])
        body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}}
        check({**body, "spec": {"completionMode": "Indexed", "completions": 1, **job["template"]["spec"]}})


def _lost(given: Any, understood: Any, where: str) -> Iterator[str]:
    """Fields that the models didn't keep."""
    if isinstance(given, dict):
        for key, value in given.items():
            place = f"{where}.{key}".lstrip(".")
            if value is None or value in ({}, []):
                continue
            if not isinstance(understood, dict) or key not in understood:
                yield place
            elif where.endswith(("metadata", "emptyDir")):
                continue
            else:
                yield from _lost(value, understood[key], place)
    elif isinstance(given, list) and isinstance(understood, list):
        for number, (one, other) in enumerate(zip(given, understood, strict=False)):
            yield from _lost(one, other, f"{where}[{number}]")


def _metadata_faults(thing: Object) -> Iterator[str]:
    metadata = thing["metadata"]
    if not _NAME.fullmatch(metadata.get("name", "")):
        yield f'metadata.name: Invalid value: "{metadata.get("name", "")}": a lowercase RFC 1123 label'
    yield from _label_faults(metadata.get("labels") or {}, "metadata.labels")
    for key in metadata.get("annotations") or {}:
        if not _is_key(key):
            yield f'metadata.annotations: Invalid value: "{key}": a qualified name'
    if len(str(thing)) > _LARGEST:
        yield "metadata: Too long: the object is larger than etcd takes"


def _label_faults(labels: Mapping[str, str], where: str) -> Iterator[str]:
    for key, value in labels.items():
        if not _is_key(key):
            yield f'{where}: Invalid value: "{key}": a qualified name'
        if not _LABEL_VALUE.fullmatch(value):
            yield f'{where}: Invalid value: "{value}": a valid label must be an empty string or 63 characters'


@cache
def _is_key(key: str) -> bool:
    return _LABEL_KEY.fullmatch(key) is not None


def _job_faults(spec: Object, where: str) -> list[str]:
    """Rules of a Job beyond its schema (Kubernetes' pkg/apis/batch/validation, in short)."""
    template = spec["template"]
    faults = list(_label_faults(template.get("metadata", {}).get("labels") or {}, f"{where}.template.labels"))
    pod = template.get("spec") or {}
    if pod.get("restartPolicy") not in ("Never", "OnFailure"):
        faults.append(f"{where}.template.spec.restartPolicy: Required value: Never or OnFailure")
    if spec.get("podFailurePolicy") and pod.get("restartPolicy") != "Never":
        faults.append(f"{where}.podFailurePolicy: only with restartPolicy Never")
    if spec.get("completionMode") == "Indexed" and spec.get("completions") is None:
        faults.append(f"{where}.completions: Required value: when completion mode is Indexed")
    counts = ("activeDeadlineSeconds", "ttlSecondsAfterFinished", "backoffLimit")
    negative = [field for field in counts if (spec.get(field) or 0) < 0]
    faults += [f"{where}.{field}: must be greater than or equal to 0" for field in negative]
    return faults + list(_pod_faults(pod, f"{where}.template.spec"))


def _pod_faults(pod: Object, where: str) -> Iterator[str]:
    if not pod.get("containers"):
        yield f"{where}.containers: Required value"
    volumes = {volume["name"] for volume in pod.get("volumes") or ()}
    for container in pod.get("containers") or ():
        place = f"{where}.containers[{container['name']}]"
        yield from _container_faults(container, volumes, place)


def _container_faults(container: Object, volumes: set[str], where: str) -> Iterator[str]:
    if not container.get("image"):
        yield f"{where}.image: Required value"
    for mount in container.get("volumeMounts") or ():
        if mount["name"] not in volumes:
            yield f'{where}.volumeMounts: Not found: "{mount["name"]}"'
    for variable in container.get("env") or ():
        if not _VARIABLE.fullmatch(variable["name"]):
            yield f'{where}.env: Invalid value: "{variable["name"]}"'
        if "value" in variable and "valueFrom" in variable:
            yield f"{where}.env[{variable['name']}]: may not be specified when value is not empty"
    amounts = container.get("resources") or {}
    for kind in ("requests", "limits"):
        for name, amount in (amounts.get(kind) or {}).items():
            if not _AMOUNT.fullmatch(str(amount)):
                yield f'{where}.resources.{kind}[{name}]: Invalid value: "{amount}"'
            if "/" in name and amounts.get("limits", {}).get(name) != amount:
                yield f"{where}.resources.limits[{name}]: must be set for an extended resource"
