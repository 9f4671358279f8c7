"""Online endpoints and their deployments: kept in a folder, their containers run as processes.

The folder is all the state: an emulator that was killed finds its endpoints again, which went on meanwhile.
What is being changed refuses another change until it is done, as the service does.
"""

import json
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.emulators.azure.endpoint_check import check_deployment, check_endpoint, check_traffic
from isocenter.emulators.azure.mount import Mount
from isocenter.emulators.azure.workspace import RefusedError, Workspace
from isocenter.emulators.replica import Container, Replica
from isocenter.storage.atomic import write_bytes

Body = dict[str, Any]
_POLL_S = 0.02
_RESTART_S = 1.0
_READY_S = 600.0
_SETTLED = ("Succeeded", "Failed", "Canceled")


@dataclass
class _Deployment:
    """A deployment: its body, how far it is, and until when it must be ready."""

    body: Body
    state: str = "Creating"
    until: float = 0.0


@dataclass
class _Endpoint:
    """An endpoint: its body, how far it is, and its deployments by name."""

    body: Body
    state: str = "Creating"
    deployments: dict[str, _Deployment] = field(default_factory=dict)


class OnlineEndpoints:
    """All online endpoints of the emulated workspace.

    Args:
        folder: where they are kept.
        workspace: knows models and environments.
        program: what stands for the serving image's entry point.
        grace_s: seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self, folder: Path, workspace: Workspace, program: Sequence[str], grace_s: float = 60.0
    ) -> None:
        self._folder = folder
        self._workspace = workspace
        self._program = tuple(program)
        self._grace_s = grace_s
        self._lock = threading.RLock()
        self._closed = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._endpoints = dict(_stored(folder))
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def all(self) -> list[tuple[str, Body]]:
        """Name and body of each endpoint."""
        with self._lock:
            return [(name, self.get(name)) for name in self._endpoints]

    def get(self, name: str) -> Body:
        """The endpoint as it is shown.

        Raises:
            RefusedError: there is none.
        """
        with self._lock:
            found = self._find(name)
            return _shown(found.body, found.state)

    def put(self, name: str, body: Body) -> bool:
        """Make an endpoint, or replace what it says; True where it is new.

        Raises:
            RefusedError: a field is wrong, or it is being changed.
        """
        check_endpoint(name, body)
        with self._lock:
            known = self._endpoints.get(name)
            if known is not None:
                _refuse_busy(name, known.state)
                if known.body["properties"]["authMode"] != body["properties"]["authMode"]:
                    raise RefusedError(400, "BadArgument", "The authMode of an endpoint can't be changed.")
            check_traffic(body["properties"], known.deployments if known else ())
            endpoint = known or _Endpoint(body)
            endpoint.body, endpoint.state = body, "Updating" if known else "Creating"
            self._endpoints[name] = endpoint
            self._save(name)
            return known is None

    def delete(self, name: str) -> bool:
        """Begin to end an endpoint with all of its deployments; False if there is none."""
        with self._lock:
            if name not in self._endpoints:
                return False
            self._endpoints[name].state = "Deleting"
            self._save(name)
            return True

    def deployments(self, name: str) -> list[tuple[str, Body]]:
        """Name and body of each deployment.

        Raises:
            RefusedError: there is no such endpoint.
        """
        with self._lock:
            found = self._find(name).deployments.items()
            return [(deployment, _shown(each.body, each.state)) for deployment, each in found]

    def deployment(self, name: str, deployment: str) -> Body:
        """The deployment as it is shown.

        Raises:
            RefusedError: there is none.
        """
        with self._lock:
            found = self._find_deployment(name, deployment)
            return _shown(found.body, found.state)

    def put_deployment(self, name: str, deployment: str, body: Body) -> bool:
        """Start a deployment's containers, or replace them; True where it is new.

        Raises:
            RefusedError: a field is wrong, what it names isn't there, or it is being changed.
        """
        check_deployment(deployment, body)
        with self._lock:
            endpoint = self._find(name)
            _refuse_busy(name, endpoint.state)
            known = endpoint.deployments.get(deployment)
            if known is not None:
                _refuse_busy(deployment, known.state)
            self._container(body)  # what it names is there
            made = _Deployment(body, "Updating" if known else "Creating", time.time() + _READY_S)
            endpoint.deployments[deployment] = made
            for replica in self._replicas(name, deployment, _count(made)):
                replica.terminate(0)
                replica.start(self._filled(name, deployment, body))
            self._save(name)
            return known is None

    def patch_deployment(self, name: str, deployment: str, changes: Mapping[str, Any]) -> None:
        """Change its number of instances or tags.

        Raises:
            RefusedError: there is none, or it is being changed.
        """
        with self._lock:
            found = self._find_deployment(name, deployment)
            _refuse_busy(deployment, found.state)
            if "tags" in changes:
                found.body["tags"] = changes["tags"]
            if "sku" in changes:
                found.body["sku"] = {**(found.body.get("sku") or {}), **changes["sku"]}
                check_deployment(deployment, found.body)
            found.state, found.until = "Updating", time.time() + _READY_S
            for replica in self._replicas(name, deployment)[_count(found) :]:
                replica.terminate(self._grace_s)
            self._save(name)

    def delete_deployment(self, name: str, deployment: str) -> bool:
        """Begin to end a deployment after its last requests; False if there is none.

        Raises:
            RefusedError: it gets requests.
        """
        with self._lock:
            endpoint = self._find(name)
            found = endpoint.deployments.get(deployment)
            if found is None:
                return False
            properties = endpoint.body["properties"]
            if any((properties.get(each) or {}).get(deployment) for each in ("traffic", "mirrorTraffic")):
                raise RefusedError(
                    400, "BadArgument", f"The deployment {deployment} has traffic; set it to 0 before."
                )
            found.state = "Deleting"
            self._save(name)
            return True

    def lines(self, name: str, deployment: str) -> list[str]:
        """What its containers printed.

        Raises:
            RefusedError: there is no such deployment.
        """
        self._find_deployment(name, deployment)
        logs = [log for replica in self._replicas(name, deployment) for log in replica.logs()]
        return [line for log in logs for line in log.read_text(errors="replace").splitlines()]

    def serving(self, name: str, deployment: str) -> tuple[Container, list[Replica]]:
        """Routes and running containers of a deployment that is behind the endpoint.

        Raises:
            RefusedError: there is no such deployment.
        """
        with self._lock:
            found = self._find_deployment(name, deployment)
            replicas = [each for each in self._replicas(name, deployment) if each.is_running]
            return self._container(found.body), replicas

    def close(self) -> None:
        """End all containers; the endpoints stay, and are started again with the emulator."""
        self._closed.set()
        self._watcher.join()
        replicas = [
            replica
            for folder in self._folder.glob("*/deployments/*/replicas/*")
            if (replica := Replica(folder)).is_running
        ]
        for replica in replicas:
            replica.terminate(self._grace_s)
        deadline = time.monotonic() + self._grace_s + 5
        while any(replica.is_running for replica in replicas) and time.monotonic() < deadline:
            time.sleep(_POLL_S)

    def _watch(self) -> None:
        while not self._closed.wait(_POLL_S):
            with self._lock:
                for name in [*self._endpoints]:
                    self._go_on(name)

    def _go_on(self, name: str) -> None:
        endpoint = self._endpoints[name]
        for deployment in [*endpoint.deployments]:
            found = endpoint.deployments[deployment]
            if endpoint.state == "Deleting" or found.state == "Deleting":
                self._go_on_deleting(name, deployment)
            elif found.state == "Succeeded":
                self._restart(name, deployment)
            elif found.state not in _SETTLED:
                self._go_on_deploying(name, deployment)
        if endpoint.state == "Deleting" and not endpoint.deployments:
            del self._endpoints[name]
            shutil.rmtree(self._folder / name, ignore_errors=True)
        elif endpoint.state in ("Creating", "Updating"):
            endpoint.state = "Succeeded"
            self._save(name)

    def _go_on_deleting(self, name: str, deployment: str) -> None:
        running = [each for each in self._replicas(name, deployment) if each.is_running]
        for replica in running:
            replica.terminate(self._grace_s)
        if not running:
            del self._endpoints[name].deployments[deployment]
            shutil.rmtree(self._deployment_folder(name, deployment), ignore_errors=True)
            self._save(name)

    def _go_on_deploying(self, name: str, deployment: str) -> None:
        found = self._endpoints[name].deployments[deployment]
        replicas = self._replicas(name, deployment, _count(found))
        container = self._container(found.body)
        if found.state == "Updating":
            self._restart(name, deployment)
        if time.time() > found.until or (
            found.state == "Creating" and not all(each.is_running for each in replicas)
        ):
            for replica in replicas:
                replica.terminate(0)
            found.state = "Failed"
            self._save(name)
        elif all(each.is_running and each.is_healthy(container) for each in replicas):
            found.state = "Succeeded"
            self._save(name)

    def _restart(self, name: str, deployment: str) -> None:
        """Start containers that are too few, or ended by themselves."""
        found = self._endpoints[name].deployments[deployment]
        for replica in self._replicas(name, deployment, _count(found)):
            if not replica.is_running and replica.age_s > _RESTART_S:
                replica.start(self._filled(name, deployment, found.body))

    def _find(self, name: str) -> _Endpoint:
        if name not in self._endpoints:
            raise RefusedError(404, "ResourceNotFound", f"The endpoint {name} was not found.")
        return self._endpoints[name]

    def _find_deployment(self, name: str, deployment: str) -> _Deployment:
        found = self._find(name).deployments.get(deployment)
        if found is None:
            raise RefusedError(404, "ResourceNotFound", f"The deployment {deployment} was not found.")
        return found

    def _container(self, body: Body, model: Path | None = None) -> Container:
        """What runs in each replica; ``model`` is where its model lies."""
        properties = body["properties"]
        environment = self._asset(properties.get("environmentId") or "")
        self._asset(properties.get("model") or "")
        routes = environment.get("inferenceConfig")
        if not routes:
            raise RefusedError(
                400, "BadArgument", "The environment has no inference_config: its image can't be served."
            )
        return Container(
            command=(*self._program, "serve"),
            environment={"AZUREML_MODEL_DIR": str(model)} if model else {},
            given=properties.get("environmentVariables") or {},
            health_route=routes["readinessRoute"]["path"],
            predict_route=routes["scoringRoute"]["path"],
            port_variable="ISOCENTER_SERVING_PORT",
        )

    def _filled(self, name: str, deployment: str, body: Body) -> Container:
        """The same, with its model mounted."""
        *_, model, _, version = body["properties"]["model"].split("/")
        uri = str(self._asset(body["properties"]["model"])["modelUri"])
        folder = self._deployment_folder(name, deployment) / "azureml-models" / model / version
        place = self._workspace.place_of(model, uri)
        mount = Mount(self._workspace.blobs, place, folder / place.prefix.rpartition("/")[2])
        if not mount.directory.is_dir() and mount.fill() == 0:
            raise RefusedError(400, "BadArgument", f"The model {model}:{version} holds no file.")
        return self._container(body, folder)

    def _asset(self, asset_id: str) -> Body:
        parts = asset_id.split("/")
        if len(parts) < 4 or parts[-2] != "versions":
            raise RefusedError(400, "BadArgument", f"{asset_id!r} is no id of a model or environment.")
        return self._workspace.asset(parts[-4], parts[-3], parts[-1])

    def _deployment_folder(self, name: str, deployment: str) -> Path:
        return self._folder / name / "deployments" / deployment

    def _replicas(self, name: str, deployment: str, count: int = 0) -> list[Replica]:
        """Those that have a folder, or the first ``count``."""
        folder = self._deployment_folder(name, deployment) / "replicas"
        if count:
            return [Replica(folder / str(each)) for each in range(count)]
        return [Replica(path) for path in sorted(folder.glob("*"), key=lambda path: int(path.name))]

    def _save(self, name: str) -> None:
        endpoint = self._endpoints[name]
        deployments = {key: vars(each) for key, each in endpoint.deployments.items()}
        (self._folder / name).mkdir(exist_ok=True)
        record = {"body": endpoint.body, "state": endpoint.state, "deployments": deployments}
        write_bytes(self._folder / name / "record.json", json.dumps(record).encode(), mode=0o600)


def _count(deployment: _Deployment) -> int:
    return int((deployment.body.get("sku") or {}).get("capacity") or 1)


def _refuse_busy(name: str, state: str) -> None:
    if state not in _SETTLED:
        raise RefusedError(409, "Conflict", f"{name} is {state}; try again when that is done.")


def _shown(body: Body, state: str) -> Body:
    return {**body, "properties": {**body["properties"], "provisioningState": state}}


def _stored(folder: Path) -> Iterator[tuple[str, _Endpoint]]:
    for path in sorted(folder.glob("*/record.json")):
        with suppress(ValueError, KeyError):
            record = json.loads(path.read_bytes())
            deployments = {name: _Deployment(**each) for name, each in record["deployments"].items()}
            yield path.parent.name, _Endpoint(record["body"], record["state"], deployments)
