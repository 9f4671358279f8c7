"""A Rollout as Kubernetes objects: a Deployment a version, a Service in front, what keeps them alive. Pure.

Pods are of the strictest pod security standard and carry the label that the site's network policies go by.
"""

from collections.abc import Mapping
from typing import Any

from isocenter.backends.kubernetes_placement import place
from isocenter.backends.kubernetes_pod import (
    affinity,
    exact_texts,
    image_of,
    label_values,
    literal,
    pod_security,
    storage_variables,
)
from isocenter.domain.digest import digest_json
from isocenter.domain.rollout import Rollout, Variant
from isocenter.domain.training_job import Compute
from isocenter.errors import InputError
from isocenter.servers.kubernetes_split import replicas_of
from isocenter.targets.descriptor import DeploymentDescriptor

Object = dict[str, Any]
ENDPOINT_LABEL, GROUP_LABEL, VERSION_LABEL = "isocenter-endpoint", "isocenter-group", "isocenter-version"
REFERENCE_NOTE, DIGEST_NOTE = "isocenter/reference", "isocenter/digest"
CONTAINER = "serving"
PORT, ADMIN_PORT = 8080, 9090
ACCESS_VARIABLE = "ISOCENTER_SERVING_ACCESS"
_COMPONENT_LABEL = "app.kubernetes.io/component"
_KEY_CHARACTERS = 10
_READY_S, _STOP_GRACE_S, _LEAVE_S = 300, 75, 5
_MOST_PODS = 10
_BUSY_PERCENT = 70


def rollout_request(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], namespace: str, rollout: Rollout
) -> Object:
    """All objects of the endpoint as ``rollout`` asks for it.

    Args:
        descriptor: of the target.
        settings: ``images`` (``serving``: REF@sha256:...), ``serving_access`` (whose tokens are taken: an
            object of issuer, audience, ...), ``most_pods`` (of one endpoint, default 10), ``service_type``
            (default ClusterIP), ``ready_s`` (how long pods may take to get ready, default 300), and what
            :func:`~isocenter.backends.kubernetes_pod.pod_template` takes.
        namespace: that they are in.
        rollout: with URIs for bundles.

    Raises:
        InputError: it can't be served so there.
    """
    _check(descriptor, settings, rollout)
    weights = {variant.name: variant.weight for variant in rollout.variants}
    least, most = rollout.scaling.min_instances, int(settings.get("most_pods", _MOST_PODS))
    replicas = replicas_of(weights, least, most)
    deployments = [
        _deployment(descriptor, settings, rollout, variant, replicas[variant.name])
        for variant in rollout.variants
    ]
    labels = label_values({**descriptor.labels, **rollout.labels, ENDPOINT_LABEL: rollout.endpoint})
    return {
        "endpoint": rollout.endpoint,
        "namespace": namespace,
        "deployments": deployments,
        "service": _service(settings, rollout, labels),
        "budget": _budget(rollout, labels),
        "scalers": [_scaler(deployment, rollout, labels) for deployment in deployments if _scales(rollout)],
    }


def _check(descriptor: DeploymentDescriptor, settings: Mapping[str, Any], rollout: Rollout) -> None:
    for variant in rollout.variants:
        if "://" not in variant.uri:
            raise InputError(
                f"The bundle of {variant.reference} is not in an object store; pods reach nothing else."
            )
    if not settings.get("serving_access") and not descriptor.emulated:
        raise InputError(
            f"Nothing says whose tokens endpoints on {descriptor.name} take.",
            hint='settings.serving_access in the deployment descriptor: {"issuer": "https://...", '
            '"audience": "..."}.',
        )
    if _scales(rollout) and len(rollout.variants) > 1:
        raise InputError(
            f"Two versions of {rollout.endpoint!r} can't be scaled: pods divide the traffic between them.",
            hint="Set --min-instances and --max-instances alike until one serves alone.",
        )


def _scales(rollout: Rollout) -> bool:
    return rollout.scaling.max_instances > rollout.scaling.min_instances


def _deployment(
    descriptor: DeploymentDescriptor,
    settings: Mapping[str, Any],
    rollout: Rollout,
    variant: Variant,
    replicas: int,
) -> Object:
    own = {ENDPOINT_LABEL: rollout.endpoint, VERSION_LABEL: variant.name}
    texts = {**descriptor.labels, **rollout.labels, **own}
    component = {settings.get("component_label", _COMPONENT_LABEL): "serving"}
    labels = {**label_values(texts), **component}
    notes = {**exact_texts(texts), REFERENCE_NOTE: variant.reference, DIGEST_NOTE: variant.digest}
    template = {
        "metadata": {"labels": labels, "annotations": notes},
        "spec": _pod(descriptor, settings, rollout, variant),
    }
    # Other content is another Deployment: it takes over when its pods are ready.
    key = digest_json(template).removeprefix("sha256:")[:_KEY_CHARACTERS]
    template["metadata"]["labels"] = {**labels, GROUP_LABEL: key}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": f"{rollout.endpoint}-{key}",
            "labels": {**labels, GROUP_LABEL: key},
            "annotations": notes,
        },
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": int(settings.get("ready_s", _READY_S)),
            "selector": {"matchLabels": {ENDPOINT_LABEL: rollout.endpoint, GROUP_LABEL: key}},
            "template": template,
        },
    }


def _pod(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], rollout: Rollout, variant: Variant
) -> Object:
    gpu = rollout.size.gpu
    where = place(Compute(gpu=gpu, gpu_count=1 if gpu else 0), descriptor, settings)
    amounts = {"cpu": str(rollout.size.cpus), "memory": f"{rollout.size.memory_gib}Gi"}
    amounts |= {name: amount for name, amount in where.resources.items() if "/" in name}
    optional = {
        "priorityClassName": settings.get("priority_classes", {}).get("serving"),
        "runtimeClassName": settings.get("runtime_class") if where.gpus else None,
        "nodeSelector": dict(where.node_selector),
        "affinity": affinity(where),
        "tolerations": [dict(each) for each in where.tolerations],
        "imagePullSecrets": [{"name": name} for name in settings.get("image_pull_secrets", ())],
    }
    return {
        "serviceAccountName": "serving",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": int(settings.get("serving_stop_grace_s", _STOP_GRACE_S)),
        "securityContext": pod_security(settings),
        "containers": [_container(descriptor, settings, rollout, variant, amounts)],
        "volumes": [{"name": "scratch", "emptyDir": {}}],
        **{field: value for field, value in optional.items() if value},
    }


def _container(
    descriptor: DeploymentDescriptor,
    settings: Mapping[str, Any],
    rollout: Rollout,
    variant: Variant,
    amounts: Mapping[str, str],
) -> Object:
    def probe(path: str, **more: int) -> Object:
        return {"httpGet": {"path": path, "port": PORT}, "timeoutSeconds": 2, **more}

    ready_s = int(settings.get("ready_s", _READY_S))
    return {
        "name": CONTAINER,
        "image": image_of(rollout.image, descriptor, settings, "serving"),
        "args": ["serve"],
        "env": _variables(descriptor, settings, rollout, variant),
        "ports": [
            {"name": "http", "containerPort": PORT},
            {"name": "metrics", "containerPort": ADMIN_PORT},
        ],
        "resources": {"requests": dict(amounts), "limits": dict(amounts)},
        "startupProbe": probe("/healthz", periodSeconds=2, failureThreshold=max(1, ready_s // 2)),
        "readinessProbe": probe("/readyz", periodSeconds=2, failureThreshold=2),
        "livenessProbe": probe("/healthz", periodSeconds=10, failureThreshold=3),
        # Nodes learn some seconds later than the pod itself that it is leaving.
        "lifecycle": {"preStop": {"sleep": {"seconds": _LEAVE_S}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108 - the pod's own
    }


def _variables(
    descriptor: DeploymentDescriptor, settings: Mapping[str, Any], rollout: Rollout, variant: Variant
) -> list[Object]:
    from isocenter.domain.digest import canonical_json

    values = {
        "HOME": "/tmp",  # noqa: S108 - the pod's own
        "ISOCENTER_SERVING_BUNDLE": variant.uri,
        "ISOCENTER_SERVING_DIGEST": variant.digest,
        "ISOCENTER_SERVING_NAME": variant.model,
        "ISOCENTER_SERVING_NUMBER": str(variant.number),
        "ISOCENTER_SERVING_PORT": str(PORT),
        "ISOCENTER_SERVING_ADMIN_PORT": str(ADMIN_PORT),
        "ISOCENTER_SERVING_WORKERS": str(rollout.size.cpus),
        "ISOCENTER_SERVING_CAPTURE_DIR": "/tmp/capture",  # noqa: S108 - the pod's own
        "ISOCENTER_SERVING_CAPTURE_PERCENT": str(rollout.capture.percent),
        "ISOCENTER_SERVING_CAPTURE_LIMIT_MIB": str(rollout.capture.limit_mib),
    }
    access = settings.get("serving_access")
    if access:
        values[ACCESS_VARIABLE] = canonical_json(access).decode()
    own = {"fieldRef": {"fieldPath": "status.podIP"}}
    return [
        *storage_variables(descriptor, settings),
        *({"name": name, "value": literal(value)} for name, value in values.items()),
        {"name": "ISOCENTER_SERVING_HOST", "valueFrom": own},
    ]


def _service(settings: Mapping[str, Any], rollout: Rollout, labels: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": rollout.endpoint, "labels": dict(labels)},
        "spec": {
            "type": settings.get("service_type", "ClusterIP"),
            "selector": {ENDPOINT_LABEL: rollout.endpoint},
            "ports": [{"name": "http", "port": 80, "targetPort": PORT}],
        },
    }


def _budget(rollout: Rollout, labels: Mapping[str, str]) -> Object:
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": rollout.endpoint, "labels": dict(labels)},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {ENDPOINT_LABEL: rollout.endpoint}}},
    }


def _scaler(deployment: Object, rollout: Rollout, labels: Mapping[str, str]) -> Object:
    name = deployment["metadata"]["name"]
    busy = {"type": "Utilization", "averageUtilization": _BUSY_PERCENT}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "labels": dict(labels)},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name},
            "minReplicas": rollout.scaling.min_instances,
            "maxReplicas": rollout.scaling.max_instances,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": busy}}],
        },
    }
