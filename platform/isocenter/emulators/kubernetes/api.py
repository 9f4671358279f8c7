"""The API server: which requests there are, and their answers in Kubernetes' own words.

https://kubernetes.io/docs/reference/using-api/api-concepts/
Beside Kubernetes' own routes: ``POST /emulator/interrupt`` (``{"run": ID}``) takes the machine of a run's
pods away, ``POST /emulator/settings`` (``{"trainer": false}``) takes Kubeflow Trainer out of the cluster.
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.emulators.kubernetes.objects import Objects
from isocenter.emulators.kubernetes.pods import ENDED, Kubelet
from isocenter.emulators.kubernetes.schemas import TRAINER, RefusedError, check, invalid
from isocenter.emulators.kubernetes.service_proxy import ServiceProxies
from isocenter.emulators.kubernetes.trainer import check_train_job
from isocenter.emulators.web_server import Answer, Request, json_answer

Object = dict[str, Any]
TOKEN = "emulated"  # noqa: S105 - whoever sends another one is refused
_KINDS = {
    ("v1", "events"): "Event",
    ("v1", "pods"): "Pod",
    ("v1", "secrets"): "Secret",
    ("v1", "services"): "Service",
    ("apps/v1", "deployments"): "Deployment",
    ("autoscaling/v2", "horizontalpodautoscalers"): "HorizontalPodAutoscaler",
    ("policy/v1", "poddisruptionbudgets"): "PodDisruptionBudget",
    ("batch/v1", "jobs"): "Job",
    (TRAINER, "trainingruntimes"): "TrainingRuntime",
    (TRAINER, "trainjobs"): "TrainJob",
}
_REASONS = {401: "Unauthorized", 403: "Forbidden", 429: "TooManyRequests", 500: "InternalError"}
_REASONS |= {503: "ServiceUnavailable", 504: "Timeout"}
_MERGE_PATCH = "application/merge-patch+json"  # the one that is understood: RFC 7386
# Of a Job's or TrainJob's specification, what may change (Kubernetes' validation of updates).
_MUTABLE = frozenset(("suspend", "activeDeadlineSeconds", "ttlSecondsAfterFinished", "parallelism"))
_WATCH_S, _POLL_S = 300.0, 0.02
_PROXY_S = 10.0


@dataclass(frozen=True)
class _Place:
    """What a path names."""

    version: str
    plural: str
    kind: str
    namespace: str
    name: str = ""
    part: str = ""
    port: int = 0


class ApiServer:
    """Answers as a cluster's API server.

    Args:
        objects: of the cluster.
        kubelet: has the pods' logs.
        namespaces: that there are.
        wake: is called when something has changed.
        proxies: give Services their ports.
    """

    def __init__(
        self,
        objects: Objects,
        kubelet: Kubelet,
        namespaces: frozenset[str],
        wake: Callable[[], None],
        proxies: ServiceProxies,
    ) -> None:
        self._proxies = proxies
        self._objects = objects
        self._kubelet = kubelet
        self._namespaces = namespaces
        self._wake = wake
        self.has_trainer = True

    def answer(self, request: Request) -> Answer:
        """Do what was asked."""
        sent = request.headers.get("authorization", "")
        if sent and sent != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized", "Unauthorized")
        try:
            return self._answer(request)
        except RefusedError as refusal:
            return _status(refusal.status, refusal.reason, refusal.message)

    def fault(self, status: int) -> Answer:
        """A ``Status`` object, as of a server that is busy, broken, or forbids it."""
        messages = {
            403: 'jobs.batch is forbidden: User "emulated" cannot create resource "jobs"',
            429: "the server has received too many requests and has asked us to try again later",
        }
        return _status(
            status, _REASONS.get(status, "InternalError"), messages.get(status, "the server is ill")
        )

    def _answer(self, request: Request) -> Answer:
        path = request.plain_path.rstrip("/")
        if path.startswith("/emulator/"):
            return self._emulator(path, request)
        if request.method == "GET" and (found := self._discovery(path)) is not None:
            return json_answer(found)
        place = self._place(path)
        match request.method, bool(place.name):
            case "GET", True:
                return self._read(place, request)
            case "GET", False:
                return self._list(place, request)
            case "POST", False:
                return self._create(place, _body(request))
            case "PATCH", True:
                return self._patch(place, request)
            case "DELETE", True:
                return self._delete(place)
        raise RefusedError(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
        )

    def _discovery(self, path: str) -> Object | None:
        groups = [
            "apps/v1",
            "autoscaling/v2",
            "batch/v1",
            "policy/v1",
            *([TRAINER] if self.has_trainer else []),
        ]
        if path == "/version":
            return {"major": "1", "minor": "31", "gitVersion": "v1.31.0+isocenter-emulated"}
        if path == "/api":
            return {"kind": "APIVersions", "versions": ["v1"]}
        if path == "/apis":
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(name) for name in groups]}
        for version in ("v1", *groups):
            if path == ("/api/v1" if version == "v1" else f"/apis/{version}"):
                return _resources(version)
        return None

    def _place(self, path: str) -> _Place:
        words = path.strip("/").split("/")
        version, rest = ("v1", words[2:]) if words[0] == "api" else ("/".join(words[1:3]), words[3:])
        if len(rest) < 3 or rest[0] != "namespaces" or (version, rest[2]) not in _KINDS:
            raise _no_route()
        if version == TRAINER and not self.has_trainer:
            raise _no_route()
        if rest[1] not in self._namespaces:
            raise RefusedError(404, "NotFound", f'namespaces "{rest[1]}" not found')
        name, part = ([*rest[3:], "", ""])[:2]
        name, _, port = name.partition(":") if part == "proxy" else (name, "", "")
        number = int(port) if port.isdigit() else 0
        return _Place(version, rest[2], _KINDS[version, rest[2]], rest[1], name, part, number)

    def _read(self, place: _Place, request: Request) -> Answer:
        found = self._get(place)
        if place.part == "log" and place.kind == "Pod":
            return self._log(found, follow=request.first("follow") == "true")
        if place.part == "proxy" and place.kind == "Pod":
            return _asked(found, place.port, request.plain_path.partition("/proxy")[2])
        if place.part not in ("", "status"):
            raise _no_route()
        return json_answer(found)

    def _get(self, place: _Place) -> Object:
        found = self._objects.get(place.kind, place.namespace, place.name)
        if found is None:
            raise RefusedError(404, "NotFound", f'{_resource(place)} "{place.name}" not found')
        return found

    def _list(self, place: _Place, request: Request) -> Answer:
        chosen = _selector(request.first("labelSelector"), request.first("fieldSelector"))
        if request.first("watch") in ("true", "1"):
            return Answer(200, self._watch(place, request, chosen), {"Content-Type": "application/json"})
        with self._objects.lock:
            items = [thing for thing in self._objects.list(place.kind, place.namespace) if chosen(thing)]
            metadata = {"resourceVersion": str(self._objects.version)}
        kind = f"{place.kind}List"
        return json_answer({"kind": kind, "apiVersion": place.version, "metadata": metadata, "items": items})

    def _watch(self, place: _Place, request: Request, chosen: Callable[[Object], bool]) -> Iterator[bytes]:
        since = int(request.first("resourceVersion") or 0)
        seconds = float(request.first("timeoutSeconds") or _WATCH_S)
        if not since:
            for thing in self._objects.list(place.kind, place.namespace):
                since = max(since, int(thing["metadata"]["resourceVersion"]))
                if chosen(thing):
                    yield json.dumps({"type": "ADDED", "object": thing}).encode() + b"\n"
        for change in self._objects.watch(place.kind, place.namespace, since, seconds):
            if chosen(change.object):
                yield json.dumps({"type": change.type, "object": change.object}).encode() + b"\n"

    def _create(self, place: _Place, thing: Object) -> Answer:
        if place.kind in ("Pod", "Event"):
            raise RefusedError(
                403, "Forbidden", f"{_resource(place)} are made by this cluster's controllers only"
            )
        if thing.get("kind") != place.kind or thing.get("apiVersion") != place.version:
            raise RefusedError(
                400, "BadRequest", f"the object provided is no {place.kind} of {place.version}"
            )
        metadata = thing.setdefault("metadata", {})
        if metadata.setdefault("namespace", place.namespace) != place.namespace:
            message = "the namespace of the provided object does not match the namespace sent on the request"
            raise RefusedError(400, "BadRequest", message)
        check(thing)
        with self._objects.lock:
            if self._objects.get(place.kind, place.namespace, metadata["name"]) is not None:
                message = f'{_resource(place)} "{metadata["name"]}" already exists'
                raise RefusedError(409, "AlreadyExists", message)
            if place.kind == "TrainJob":
                check_train_job(thing, self._objects)
            if place.kind == "Service":
                self._proxies.give_port(thing)
            has_status = "Job" in place.kind or place.kind == "Deployment"
            made = self._objects.add({**thing, "status": {}} if has_status else thing)
        self._wake()
        return json_answer(made, 201)

    def _patch(self, place: _Place, request: Request) -> Answer:
        kind = request.headers.get("content-type", "").partition(";")[0]
        if kind != _MERGE_PATCH:
            raise RefusedError(
                415, "UnsupportedMediaType", f"the body of the request was in an unknown format: {kind}"
            )
        changes = _body(request)
        with self._objects.lock:
            known = self._get(place)
            changed = _merged(known, changes)
            check({key: value for key, value in changed.items() if key != "status"})
            _refuse_immutable(place, known, changed)
            kept = self._objects.update(changed)
        self._wake()
        return json_answer(kept)

    def _delete(self, place: _Place) -> Answer:
        with self._objects.lock:
            found = self._get(place)
            if place.kind == "Pod":
                self._kubelet.delete(found)
            else:
                self._objects.remove(place.kind, place.namespace, place.name)
        self._wake()
        # https://kubernetes.io/docs/reference/kubernetes-api/: these answer with what goes
        return json_answer(found) if place.kind in ("Pod", "Service") else _status(200, "", "", "Success")

    def _log(self, pod: Object, *, follow: bool) -> Answer:
        if pod["status"]["phase"] == "Pending":
            container = pod["spec"]["containers"][0]["name"]
            message = f'container "{container}" in pod "{pod["metadata"]["name"]}" is waiting to start'
            raise RefusedError(400, "BadRequest", f"{message}: ContainerCreating")
        path = self._kubelet.log(pod)
        return Answer(200, self._lines(pod, path, follow=follow), {"Content-Type": "text/plain"})

    def _lines(self, pod: Object, path: Path, *, follow: bool) -> Iterator[bytes]:
        metadata = pod["metadata"]
        with path.open("rb") as stream:
            while True:
                known = self._objects.get("Pod", metadata["namespace"], metadata["name"])
                goes_on = known is not None and known["status"]["phase"] not in ENDED
                yield stream.read()
                if not (follow and goes_on):
                    return
                time.sleep(_POLL_S)

    def _emulator(self, path: str, request: Request) -> Answer:
        asked = _body(request)
        if path == "/emulator/settings":
            self.has_trainer = bool(asked.get("trainer", self.has_trainer))
        elif path == "/emulator/interrupt":
            with self._objects.lock:
                for pod in self._objects.list("Pod"):
                    run = (pod["metadata"].get("labels") or {}).get("isocenter-run")
                    if run == str(asked["run"]).lower() and pod["status"]["phase"] == "Running":
                        self._kubelet.interrupt(pod)
            self._wake()
        else:
            raise _no_route()
        return json_answer({})


def _asked(pod: Object, port: int, path: str) -> Answer:
    """What a pod answers to the API server."""
    address = pod["status"].get("podIP", "")
    connection = http.client.HTTPConnection(address, port, timeout=_PROXY_S)
    try:
        connection.request("GET", path or "/")
        response = connection.getresponse()
        kind = response.getheader("Content-Type", "text/plain")
        return Answer(response.status, response.read(), {"Content-Type": kind})
    except (OSError, http.client.HTTPException) as error:
        message = f"error trying to reach service: {error}"
        raise RefusedError(503, "ServiceUnavailable", message) from None
    finally:
        connection.close()


def _body(request: Request) -> Object:
    try:
        value = json.loads(request.body)
    except ValueError as error:
        raise RefusedError(400, "BadRequest", f"the object provided is unrecognized: {error}") from None
    if not isinstance(value, dict):
        raise RefusedError(400, "BadRequest", "the object provided is no object")
    return value


def _status(code: int, reason: str, message: str, status: str = "Failure") -> Answer:
    body = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": status, "message": message}
    return json_answer({**body, "reason": reason, "code": code}, code)


def _no_route() -> RefusedError:
    return RefusedError(404, "NotFound", "the server could not find the requested resource")


def _resource(place: _Place) -> str:
    group = place.version.partition("/")[0] if "/" in place.version else ""
    return f"{place.plural}.{group}".rstrip(".")


def _group(version: str) -> Object:
    found = {"groupVersion": version, "version": version.partition("/")[2]}
    return {"name": version.partition("/")[0], "versions": [found], "preferredVersion": found}


def _resources(version: str) -> Object:
    verbs = ["create", "delete", "get", "list", "patch", "watch"]
    resources = [
        {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": verbs}
        for (known, plural), kind in _KINDS.items()
        if known == version
    ]
    return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": version, "resources": resources}


def _selector(labels: str, fields: str) -> Callable[[Object], bool]:
    """https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors (equality)"""
    wanted_labels, wanted_fields = _pairs(labels), _pairs(fields)

    def chosen(thing: Object) -> bool:
        own = thing["metadata"].get("labels") or {}
        return all(own.get(key) == value for key, value in wanted_labels.items()) and all(
            _field(thing, key) == value for key, value in wanted_fields.items()
        )

    return chosen


def _pairs(text: str) -> dict[str, str]:
    pairs = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.replace("==", "=").partition("=")
        if not equals or key.endswith("!"):
            raise RefusedError(
                400, "BadRequest", f"unable to parse requirement: this cluster knows key=value only: {part}"
            )
        pairs[key.strip()] = value.strip()
    return pairs


def _field(thing: Object, path: str) -> Any:
    value: Any = thing
    for word in path.split("."):
        value = value.get(word) if isinstance(value, dict) else None
    return value


def _merged(known: Any, changes: Any) -> Any:
    """RFC 7386."""
    if not isinstance(changes, Mapping):
        return changes
    merged = dict(known) if isinstance(known, Mapping) else {}
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _refuse_immutable(place: _Place, known: Object, changed: Object) -> None:
    for field in ("uid", "name", "namespace", "creationTimestamp"):
        if known["metadata"].get(field) != changed["metadata"].get(field):
            raise invalid(changed, [f"metadata.{field}: Invalid value: field is immutable"])
    if place.kind == "Deployment" and known["spec"]["selector"] != changed["spec"]["selector"]:
        raise invalid(changed, ["spec.selector: Invalid value: field is immutable"])
    if place.kind not in ("Job", "TrainJob"):
        return
    before, after = known["spec"], changed["spec"]
    for field in sorted((before.keys() | after.keys()) - _MUTABLE):
        if before.get(field) != after.get(field):
            raise invalid(changed, [f"spec.{field}: Invalid value: field is immutable"])
