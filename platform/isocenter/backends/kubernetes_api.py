"""Talking to a cluster's API server: the calls in use, and its faults in the user's terms.

Objects come and go as the JSON that the API documents. Newer clients hold what is sent against their own
classes first, and leave out fields that those lack.
https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from isocenter.backends.base import install_hint
from isocenter.backends.kubernetes_manifests import TRAINER_GROUP, TRAINER_VERSION
from isocenter.errors import (
    EnvironmentFaultError,
    InputError,
    IsocenterError,
    NotFoundError,
    PolicyError,
    TransientFaultError,
)
from isocenter.targets.descriptor import DeploymentDescriptor

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Object = dict[str, Any]
# Kind -> the client's class, and the end of its methods' names.
_BUILT_IN = {
    "Deployment": ("AppsV1Api", "namespaced_deployment"),
    "Event": ("CoreV1Api", "namespaced_event"),
    "HorizontalPodAutoscaler": ("AutoscalingV2Api", "namespaced_horizontal_pod_autoscaler"),
    "Job": ("BatchV1Api", "namespaced_job"),
    "Pod": ("CoreV1Api", "namespaced_pod"),
    "PodDisruptionBudget": ("PolicyV1Api", "namespaced_pod_disruption_budget"),
    "Service": ("CoreV1Api", "namespaced_service"),
}
_TRAINER = {"TrainJob": "trainjobs", "TrainingRuntime": "trainingruntimes"}
_CONNECT_S, _READ_S = 5.0, 30.0
# A log that says nothing for so long is asked for anew: the connection may be dead.
_SILENCE_S = 60.0
_TRANSIENT = (408, 429)


class ConflictError(InputError):
    """An object of that name is there already."""


class Cluster:
    """One namespace of one cluster.

    Args:
        descriptor: of the target; an emulated one's address is among its endpoints.
        namespace: that all is in.
        context: of the kubeconfig; empty for its current one.

    Credentials come from the standard chain: the pod's own account inside of a cluster, else kubeconfig
    (``$KUBECONFIG``, ``~/.kube/config``) with its login helpers.

    Raises:
        EnvironmentFaultError: the client isn't installed, or there is no such context.
    """

    def __init__(self, descriptor: DeploymentDescriptor, namespace: str, context: str = "") -> None:
        self._name = descriptor.name
        self._namespace = namespace
        self._client = _client(descriptor, context)

    def has_trainer(self) -> bool:
        """Whether Kubeflow Trainer is installed in the cluster."""
        from kubernetes import client

        try:
            with self._explained("look which kinds of object there are"):
                client.CustomObjectsApi(self._client).get_api_resources(
                    TRAINER_GROUP, TRAINER_VERSION, _preload_content=False, _request_timeout=_limits()
                )
        except NotFoundError:
            return False
        return True

    def get(self, kind: str, name: str) -> Object | None:
        """The object; None if there is none of that name."""
        try:
            return self._call("get", kind, f"read {kind} {name}", name=name)
        except NotFoundError:
            return None

    def list(self, kind: str, labels: str = "", fields: str = "") -> list[Object]:
        """The objects that a label selector and a field selector choose."""
        selectors = {"label_selector": labels, "field_selector": fields}
        chosen = {name: text for name, text in selectors.items() if text}
        items: list[Object] = self._call("list", kind, f"list {kind} objects", **chosen)["items"]
        return items

    def create(self, manifest: Object) -> Object:
        """Make the object, and return it as the server completed it.

        Raises:
            ConflictError: there is one of that name.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        return self._call("create", kind, f"create {kind} {name}", body=manifest)

    def patch(self, kind: str, name: str, changes: Object) -> Object:
        """Change an object by a JSON merge patch (RFC 7386)."""
        merge = "application/merge-patch+json"
        return self._call(
            "patch", kind, f"change {kind} {name}", name=name, body=changes, _content_type=merge
        )

    def delete(self, kind: str, name: str) -> None:
        """Remove the object, if it is there; what it owns goes with it."""
        try:
            self._call("delete", kind, f"delete {kind} {name}", name=name, propagation_policy="Background")
        except NotFoundError:
            return

    def ask_pod(self, pod: str, port: int, path: str) -> str:
        """What the pod answers to GET, through the API server."""
        from kubernetes import client

        with self._explained(f"ask pod {pod}"):
            response: Any = client.CoreV1Api(self._client).connect_get_namespaced_pod_proxy_with_path(
                f"{pod}:{port}", self._namespace, path, _preload_content=False, _request_timeout=_limits()
            )
            return bytes(response.data).decode("utf-8", "replace")

    def log(self, pod: str, container: str, *, follow: bool) -> Iterator[bytes]:
        """What the container wrote, in pieces as they come.

        Raises:
            InputError: the container has not started.
            TransientFaultError: the connection broke, or nothing came for a minute.
        """
        from kubernetes import client

        with self._explained(f"read the log of pod {pod}"):
            response: Any = client.CoreV1Api(self._client).read_namespaced_pod_log(
                pod,
                self._namespace,
                container=container,
                follow=follow,
                _preload_content=False,
                _request_timeout=(_CONNECT_S, _SILENCE_S),
            )
            try:
                yield from response.stream(65536, decode_content=True)
            finally:
                response.close()

    def _call(self, verb: str, kind: str, doing: str, **arguments: Any) -> Object:
        from kubernetes import client

        if kind in _TRAINER:
            api, method = client.CustomObjectsApi(self._client), f"{verb}_namespaced_custom_object"
            place = {"group": TRAINER_GROUP, "version": TRAINER_VERSION, "plural": _TRAINER[kind]}
        else:
            name, resource = _BUILT_IN[kind]
            verb = "read" if verb == "get" else verb
            api, method, place = getattr(client, name)(self._client), f"{verb}_{resource}", {}
        with self._explained(doing):
            response = getattr(api, method)(
                namespace=self._namespace,
                **place,
                **arguments,
                _preload_content=False,
                _request_timeout=_limits(),
            )
            answer: Object = json.loads(response.data)
        return answer

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Faults of the client and of the server as ours."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            yield
        except ApiException as error:
            raise _fault(error.status or 0, error.body, error.headers or {}, self._name, doing) from error
        except (HTTPError, OSError, ValueError) as error:
            raise TransientFaultError(
                f"The cluster of {self._name} can't be reached: {type(error).__name__}.",
                hint="isocenter target check looks at it; the same command again continues.",
            ) from error


def _limits() -> tuple[float, float]:
    return _CONNECT_S, _READ_S


def _client(descriptor: DeploymentDescriptor, context: str) -> "ApiClient":
    try:
        from kubernetes import client, config
    except ImportError as error:
        raise EnvironmentFaultError(
            "The client of Kubernetes is not installed.", hint=install_hint("kubernetes")
        ) from error
    configuration = client.Configuration()
    # Asking again is done once, above all backends.
    configuration.retries = 0
    if descriptor.emulated:
        configuration.host = descriptor.endpoints[descriptor.provider]
        return client.ApiClient(configuration)
    try:
        if os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG"):
            load: Any = config.load_incluster_config
            load(client_configuration=configuration)
        else:
            load = config.load_kube_config
            # The client itself reads the variable once only, when it is imported.
            named = os.environ.get("KUBECONFIG")
            load(config_file=named, context=context or None, client_configuration=configuration)
    except config.ConfigException as error:
        said = str(error).rstrip(".")
        raise EnvironmentFaultError(
            f"There are no credentials for the cluster of {descriptor.name}: {said}.",
            hint="Log in, and name the kubeconfig in KUBECONFIG: see kubectl config get-contexts.",
        ) from error
    return client.ApiClient(configuration)


def _fault(
    status: int, body: str | None, headers: Mapping[str, str], target: str, doing: str
) -> IsocenterError:
    """What the server answered, as an error of ours. Its body is a ``Status`` object."""
    said = _message(body).rstrip(".")
    if status in _TRANSIENT or status >= 500:
        wait = headers.get("Retry-After", "")
        return TransientFaultError(
            f"The cluster of {target} could not {doing}: {said or f'HTTP {status}'}.",
            retry_after_s=float(wait) if wait.isdecimal() else None,
        )
    match status:
        case 0:
            return EnvironmentFaultError(f"The cluster of {target} can't be trusted: {said or 'TLS'}.")
        case 401:
            return EnvironmentFaultError(
                f"The cluster of {target} does not accept your credentials.",
                hint="They may have expired: log in again. kubectl auth whoami shows who you are to it.",
            )
        case 403:
            return PolicyError(
                f"You may not {doing} on {target}: {said}.",
                hint="Ask for what the role isocenter-pipeline in its namespace allows.",
            )
        case 404:
            return NotFoundError(f"The cluster of {target} could not {doing}: {said}.")
        case 409:
            return ConflictError(f"The cluster of {target} could not {doing}: {said}.")
    return InputError(f"The cluster of {target} refused to {doing}: {said or f'HTTP {status}'}.")


def _message(body: str | None) -> str:
    try:
        value = json.loads(body or "")
    except ValueError:
        return ""
    return str(value.get("message", "")) if isinstance(value, dict) else ""
