"""What the cluster refuses to start in the namespace, beyond the pod security standard."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdktn_provider_kubernetes.manifest import Manifest
from constructs import Construct

from isocenter_infra.deployment import Deployment
from isocenter_infra.onprem.names import (
    COMPONENT,
    NAMESPACE_NAME,
    PIPELINE,
    WORKLOADS,
    OnpremNames,
    onprem_settings,
)

_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")


@dataclass(frozen=True)
class AdmissionArgs:
    """What admission needs to know.

    Args:
        deployment: it belongs to.
        names: of the deployment.
    """

    deployment: Deployment
    names: OnpremNames


class Admission(Construct):
    """Pods run images by digest from the hospital's registry, as a role of ours, without a stray token."""

    def __init__(self, scope: Construct, id_: str, args: AdmissionArgs) -> None:
        super().__init__(scope, id_)
        names = args.names
        self._labels = names.labels
        name = names.cluster_wide("pods")
        # The provider's own resource for a policy lacks its binding, and wants what Kubernetes doesn't.
        policy = self._manifest(
            "ValidatingAdmissionPolicy",
            name,
            {
                # What can't be judged is refused.
                "failurePolicy": "Fail",
                "matchConstraints": _pods_in(names.namespace),
                "validations": [
                    {"expression": expression, "message": message, "reason": "Forbidden"}
                    for expression, message in _rules(onprem_settings(args.deployment).registry).items()
                ],
            },
        )
        self._manifest(
            "ValidatingAdmissionPolicyBinding",
            name,
            {"policyName": name, "validationActions": ["Deny", "Audit"]},
            depends_on=[policy],
        )

    def _manifest(self, kind: str, name: str, spec: Mapping[str, Any], **more: Any) -> Manifest:
        return Manifest(
            self,
            kind,
            manifest={
                "apiVersion": "admissionregistration.k8s.io/v1",
                "kind": kind,
                "metadata": {"name": name, "labels": self._labels},
                "spec": spec,
            },
            **more,
        )


def _pods_in(namespace: str) -> dict[str, Any]:
    # Written out whole: what Kubernetes fills in would be a difference in each plan.
    return {
        "matchPolicy": "Equivalent",
        "objectSelector": {},
        "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: namespace}},
        "resourceRules": [
            {
                "apiGroups": [""],
                "apiVersions": ["v1"],
                "operations": ["CREATE", "UPDATE"],
                "resources": ["pods", "pods/ephemeralcontainers"],
                "scope": "*",
            }
        ],
    }


def _rules(registry: str) -> Mapping[str, str]:
    """CEL expression that must hold -> what to tell whose pod is refused."""
    prefix = json.dumps(registry.rstrip("/") + "/")
    of_registry = f"c.image.startsWith({prefix}) && c.image.matches('@sha256:[0-9a-f]{{64}}$')"
    images = " && ".join(
        f"(!has(object.spec.{kind}) || object.spec.{kind}.all(c, {of_registry}))" for kind in _CONTAINERS
    )
    label = (
        f"has(object.metadata.labels) && '{COMPONENT}' in object.metadata.labels && "
        f"object.metadata.labels['{COMPONENT}']"
    )
    projected = (
        "!has(object.spec.volumes) || object.spec.volumes.all(v, !has(v.projected) || "
        "!has(v.projected.sources) || v.projected.sources.all(s, !has(s.serviceAccountToken)))"
    )
    unmounted = "!has(object.spec.automountServiceAccountToken) || !object.spec.automountServiceAccountToken"
    return {
        images: f"Images come by digest from {registry}.",
        f"object.spec.serviceAccountName in {json.dumps(list(WORKLOADS))}": (
            f"The service account must be one of {', '.join(WORKLOADS)}."
        ),
        # Network rights go by the label: a pod can't take another role's.
        f"{label} == object.spec.serviceAccountName": f"The label {COMPONENT} must name the service account.",
        f"object.spec.serviceAccountName == '{PIPELINE}' || (({unmounted}) && ({projected}))": (
            f"Only {PIPELINE} may have a token of Kubernetes."
        ),
    }
