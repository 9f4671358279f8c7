"""The pod of a job, as Kubernetes' strictest pod security standard and the site's admission want it. Pure.

https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.backends.kubernetes_placement import Placement
from isocenter.errors import InputError
from isocenter.targets.descriptor import DeploymentDescriptor

# Kubeflow Trainer looks for a container of this name; a plain Job's is called the same.
CONTAINER = "node"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
MASTER_PORT = 29500
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_VOLUME = re.compile(r"^/volumes/([a-z0-9-]+)/[^.]")
_COMPONENT_LABEL = "app.kubernetes.io/component"
_LONGEST_LABEL = 63
_USER = 10001
_STOP_GRACE_S = 120
_SHARED_MEMORY = "2Gi"


@dataclass(frozen=True)
class PodRequest:
    """What a pod is made of, beyond the target.

    Args:
        image: by digest.
        arguments: of the image's entry point.
        environment: its variables.
        inputs: URIs, or paths under ``/volumes/<name>/`` on a volume of the target.
        labels: of the pod; exact texts, which become annotations where they are no label's value.
        placement: where it runs.
        nodes: how many such pods train together.
        master: host name of the first of them.
    """

    image: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    inputs: Mapping[str, str]
    labels: Mapping[str, str]
    placement: Placement
    nodes: int
    master: str


def image_of(
    named: str | None,
    descriptor: DeploymentDescriptor,
    settings: Mapping[str, Any],
    use: str = "training",
) -> str:
    """The image that a pod runs: its own, else the target's for ``use``.

    Raises:
        InputError: there is none, it is not named by digest, or the site would not admit it.
    """
    image: str = named or settings.get("images", {}).get(use, "")
    if not image:
        raise InputError(
            f"Nothing says which image runs on {descriptor.name}.",
            hint=f"--image REF@sha256:..., or settings.images.{use} in the deployment descriptor.",
        )
    if not _DIGEST.search(image):
        raise InputError(
            f"The image {image!r} is not named by its digest.",
            hint="A tag can be moved to another image; REF@sha256:... can't.",
        )
    registry = descriptor.registry.rstrip("/")
    if descriptor.provider == "onprem" and registry and not image.startswith(f"{registry}/"):
        raise InputError(
            f"The image {image!r} is not in the site's registry.",
            hint=f"{descriptor.name} runs images from {registry} only.",
        )
    return image


def label_values(texts: Mapping[str, str]) -> dict[str, str]:
    """``texts`` as labels: 63 characters of letters, digits, ``-``, ``_`` and ``.``.

    https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set
    """
    return {key: _label_value(text) for key, text in texts.items()}


def exact_texts(texts: Mapping[str, str]) -> dict[str, str]:
    """Annotations with those of ``texts`` that a label can't hold."""
    return {f"isocenter/{key}": text for key, text in texts.items() if _label_value(text) != text}


def _label_value(text: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:_LONGEST_LABEL]
    return re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", plain)


def service_account(descriptor: DeploymentDescriptor, settings: Mapping[str, Any]) -> str:
    """Name of the service account that jobs act as."""
    told: str = settings.get("service_account", "")
    known = descriptor.identities.get("training", "")
    in_cluster = known.startswith("system:serviceaccount:")
    return told or (known.rsplit(":", 1)[-1] if in_cluster else "training")


def pod_template(
    request: PodRequest, descriptor: DeploymentDescriptor, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The template of the job's pods.

    Args:
        request: what runs.
        descriptor: of the target.
        settings: ``component_label``, ``service_account``, ``priority_classes``, ``runtime_class``,
            ``volumes``, ``secrets``, ``image_pull_secrets``, ``run_as_user`` (null: the image's own),
            ``stop_grace_s``, ``shared_memory``.

    Raises:
        InputError: an input lies neither behind a URI nor on one of the target's volumes.
    """
    account = service_account(descriptor, settings)
    component = {settings.get("component_label", _COMPONENT_LABEL): account}
    metadata: dict[str, Any] = {"labels": {**label_values(request.labels), **component}}
    if annotations := exact_texts(request.labels):
        metadata["annotations"] = annotations
    return {"metadata": metadata, "spec": _pod(request, descriptor, settings, account)}


def _pod(
    request: PodRequest, descriptor: DeploymentDescriptor, settings: Mapping[str, Any], account: str
) -> dict[str, Any]:
    claims = _claims(request.inputs, settings)
    where = request.placement
    pull_secrets = [{"name": name} for name in settings.get("image_pull_secrets", ())]
    optional = {
        "priorityClassName": settings.get("priority_classes", {}).get(where.priority),
        "runtimeClassName": settings.get("runtime_class") if where.gpus else None,
        "nodeSelector": dict(where.node_selector),
        "affinity": affinity(where),
        "tolerations": [dict(toleration) for toleration in where.tolerations],
        "imagePullSecrets": pull_secrets,
    }
    return {
        "restartPolicy": "Never",
        "serviceAccountName": account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": int(settings.get("stop_grace_s", _STOP_GRACE_S)),
        "securityContext": pod_security(settings),
        "containers": [_container(request, descriptor, settings, claims)],
        "volumes": _volumes(claims, settings),
        **{field: value for field, value in optional.items() if value},
    }


def pod_security(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Of the whole pod; ``run_as_user`` null: the image's own."""
    user = settings.get("run_as_user", _USER)
    ids = {} if user is None else {"runAsUser": user, "runAsGroup": user, "fsGroup": user}
    return {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}, **ids}


def _container(
    request: PodRequest,
    descriptor: DeploymentDescriptor,
    settings: Mapping[str, Any],
    claims: Mapping[str, str],
) -> dict[str, Any]:
    amounts = dict(request.placement.resources)
    return {
        "name": CONTAINER,
        "image": request.image,
        **_program(request),
        "env": [*storage_variables(descriptor, settings), *_variables(request)],
        "resources": {"requests": amounts, "limits": amounts},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        # Where the program leaves no reason of its own, the end of its log stands in.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
            {"name": "shared-memory", "mountPath": "/dev/shm"},  # noqa: S108 - the pod's own
            *({"name": name, "mountPath": f"/volumes/{name}", "readOnly": True} for name in claims),
        ],
    }


def _program(request: PodRequest) -> dict[str, Any]:
    """The image's entry point; with several GPUs on a node torchrun starts it once for each."""
    arguments = [literal(argument) for argument in request.arguments]
    if request.placement.gpus > 1:
        return {"command": ["torchrun"], "args": ["-m", "isocenter_training", *arguments]}
    return {"args": arguments}


def _variables(request: PodRequest) -> list[dict[str, Any]]:
    fixed = {"HOME": "/tmp", "ISOCENTER_SERVICE": "kubernetes", "PYTHONUNBUFFERED": "1"}  # noqa: S108
    given = [{"name": name, "value": literal(value)} for name, value in sorted(request.environment.items())]
    own = [{"name": name, "value": value} for name, value in fixed.items() if name not in request.environment]
    return [*own, *_group_variables(request), *given]


def _group_variables(request: PodRequest) -> list[dict[str, Any]]:
    """Torchrun's environment: of its workers, or (several GPUs on a node) of torchrun itself.

    https://docs.pytorch.org/docs/stable/elastic/run.html
    """
    nodes, gpus = request.nodes, request.placement.gpus
    index = {"fieldRef": {"fieldPath": f"metadata.annotations['{INDEX_ANNOTATION}']"}}
    if gpus > 1:
        values = {"PET_NNODES": str(nodes), "PET_NPROC_PER_NODE": str(gpus)}
        rank = "PET_NODE_RANK"
    elif nodes > 1:
        values = {"WORLD_SIZE": str(nodes), "LOCAL_RANK": "0"}
        rank = "RANK"
    else:
        return []
    prefix = "PET_" if gpus > 1 else ""
    values |= {f"{prefix}MASTER_ADDR": request.master, f"{prefix}MASTER_PORT": str(MASTER_PORT)}
    return [{"name": rank, "valueFrom": index}, *({"name": n, "value": v} for n, v in values.items())]


def storage_variables(descriptor: DeploymentDescriptor, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Where the object store is, and its credentials by reference: the kubelet reads the secret."""
    address = descriptor.endpoints.get("object-store") or descriptor.endpoints.get("onprem-storage", "")
    places = {"AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": _region(descriptor, address)}
    plain = [{"name": name, "value": literal(value)} for name, value in places.items() if value]
    secret = settings.get("secrets", {}).get("object-store")
    if not secret:
        return plain
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    return plain + [
        {"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}} for key in keys
    ]


def _region(descriptor: DeploymentDescriptor, address: str) -> str:
    if descriptor.provider == "aws":
        return descriptor.region
    return "us-east-1" if address else ""  # what S3 services other than AWS's go by


def _claims(inputs: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, str]:
    """Volume -> claim of what the inputs lie on."""
    volumes: Mapping[str, str] = settings.get("volumes", {})
    found = {}
    for channel, place in inputs.items():
        if "://" in place:
            continue
        match = _VOLUME.match(place)
        if match is None or match[1] not in volumes:
            there = ", ".join(f"/volumes/{name}/" for name in volumes) or "no volume"
            raise InputError(
                f"The input {channel!r} is neither a URI nor on a volume of the target.",
                hint=f"It has: {there}.",
            )
        found[match[1]] = volumes[match[1]]
    return found


def _volumes(claims: Mapping[str, str], settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    memory = {"medium": "Memory", "sizeLimit": settings.get("shared_memory", _SHARED_MEMORY)}
    return [
        {"name": "scratch", "emptyDir": {}},
        # Loaders of batches hand them over here; the container runtime's own 64 MiB are too few.
        {"name": "shared-memory", "emptyDir": memory},
        *(
            {"name": name, "persistentVolumeClaim": {"claimName": claim, "readOnly": True}}
            for name, claim in claims.items()
        ),
    ]


def affinity(where: Placement) -> dict[str, Any]:
    """Empty where any node will do."""
    if not where.node_terms:
        return {}
    terms = [{"matchExpressions": [dict(term) for term in where.node_terms]}]
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}


def literal(text: str) -> str:
    """``text`` so that Kubernetes hands it over as it is: ``$(NAME)`` would be replaced, and ``$$`` is ``$``.

    https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
    """
    return text.replace("$", "$$")
