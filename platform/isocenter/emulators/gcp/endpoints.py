"""Endpoints and what is deployed behind them: kept in a folder, their containers run as processes.

The folder is all the state: an emulator that was killed finds its endpoints again, which went on meanwhile.
One thing is done to an endpoint at a time; the service refuses another one until it has ended.
"""

import json
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from isocenter.emulators.gcp.endpoint_check import (
    CHANGEABLE,
    bound_faults,
    check_deployed_model,
    check_endpoint,
    check_endpoint_fields,
    check_split,
)
from isocenter.emulators.gcp.models import Models
from isocenter.emulators.gcp.operations import Operations, Work
from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.emulators.gcp.serving_container import container_of
from isocenter.emulators.replica import Container, Replica
from isocenter.storage.atomic import write_bytes

# A protobuf message; Google's have no types that mypy could read.
Message = Any
_POLL_S = 0.02
_READY_S = 600.0
_RESTART_S = 1.0
_FAILED_PRECONDITION = 9
_MUTABLE = ("min_replica_count", "max_replica_count")


@dataclass(frozen=True)
class Backing:
    """What may answer a request to an endpoint.

    Args:
        deployed: the DeployedModel.
        container: its routes.
        replicas: those that run.
    """

    deployed: Message
    container: Container
    replicas: Sequence[Replica]


class Endpoints:
    """All endpoints of the emulated project.

    Args:
        folder: where they are kept.
        models: what can be deployed.
        operations: where what is done to them is kept.
        program: what stands for the serving image's entry point.
        environment: that every container gets beside Vertex AI's: addresses of emulated services.
        grace_s: seconds between SIGTERM and SIGKILL.
    """

    def __init__(
        self,
        folder: Path,
        models: Models,
        operations: Operations,
        program: Sequence[str],
        environment: Mapping[str, str],
        grace_s: float = 60.0,
    ) -> None:
        self._folder = folder
        self._models = models
        self._operations = operations
        self._program = tuple(program)
        self._environment = environment
        self._grace_s = grace_s
        self._lock = threading.RLock()
        self._closed = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        self._endpoints: dict[str, Message] = {_id(each): each for each in _stored(folder)}
        self._watcher = threading.Thread(target=self._watch, daemon=True)
        self._watcher.start()

    def create(self, parent: str, endpoint_id: str, given: Message, region: str) -> Message:
        """A new endpoint; returns the operation.

        Raises:
            ServiceError: a field is wrong, or the id is taken.
        """
        from google.cloud.aiplatform_v1.types import CreateEndpointOperationMetadata

        check_endpoint(given, endpoint_id, region)
        with self._lock:
            number = endpoint_id or str(10**8 + secrets.randbelow(8 * 10**8))
            if number in self._endpoints:
                raise ServiceError(409, f"Endpoint {number} already exists.")
            made = _copy(given)
            made.name = f"{parent}/endpoints/{number}"
            made.create_time.GetCurrentTime()
            _stamp(made)
            (self._folder / number).mkdir(exist_ok=True)
            self._endpoints[number] = made
            self._save(made)
            metadata = CreateEndpointOperationMetadata.pb(CreateEndpointOperationMetadata())
            return self._operations.done(made.name, metadata, made)

    def get(self, name: str) -> Message:
        """A copy of the endpoint.

        Raises:
            ServiceError: there is none.
        """
        with self._lock:
            found = _copy(self._find(name))
            for deployed in found.deployed_models:
                running = sum(1 for each in self._replicas(found, deployed.id) if each.is_running)
                deployed.status.available_replica_count = running
            return found

    def all(self) -> list[Message]:
        """Copies of all endpoints, the newest first."""
        with self._lock:
            found = sorted(self._endpoints.values(), key=lambda each: -each.create_time.ToNanoseconds())
            return [_copy(each) for each in found]

    def update(self, given: Message, paths: Sequence[str]) -> Message:
        """Change the fields of the mask.

        Raises:
            ServiceError: no such endpoint, a field that can't be changed, or it was changed meanwhile.
        """
        if not paths or (wrong := [path for path in paths if path not in CHANGEABLE]):
            raise ServiceError(400, f"update_mask can't hold: {', '.join(wrong) if paths else 'nothing'}")
        check_endpoint_fields(given)
        with self._lock:
            endpoint = self._find(given.name)
            if given.etag and given.etag != endpoint.etag:
                raise ServiceError(409, "The etag is not that of the endpoint as it is now.", "ABORTED")
            if "traffic_split" in paths:
                check_split(given.traffic_split, [each.id for each in endpoint.deployed_models])
            for path in paths:
                if path in ("labels", "traffic_split"):
                    _replace(getattr(endpoint, path), getattr(given, path))
                else:
                    setattr(endpoint, path, getattr(given, path))
            self._save(endpoint)
            return _copy(endpoint)

    def delete(self, name: str) -> Message:
        """End an endpoint behind which nothing is deployed; returns the operation.

        Raises:
            ServiceError: there is none, or something is deployed.
        """
        from google.cloud.aiplatform_v1.types import DeleteOperationMetadata
        from google.protobuf.empty_pb2 import Empty

        with self._lock:
            endpoint = self._find(name)
            self._refuse_busy(endpoint)
            if endpoint.deployed_models:
                raise ServiceError(
                    400, f"Endpoint {name} has deployed or being-deployed models.", "FAILED_PRECONDITION"
                )
            del self._endpoints[_id(endpoint)]
            shutil.rmtree(self._folder / _id(endpoint), ignore_errors=True)
            metadata = DeleteOperationMetadata.pb(DeleteOperationMetadata())
            return self._operations.done(endpoint.name, metadata, Empty())

    def deploy(self, asked: Message) -> Message:
        """Start a model's containers; returns the operation, which ends when they are healthy.

        Raises:
            ServiceError: a field is wrong, or something else is being done to the endpoint.
        """
        from google.cloud.aiplatform_v1.types import DeployModelOperationMetadata
        from google.protobuf.json_format import MessageToDict

        deployed = _copy(asked.deployed_model)
        check_deployed_model(deployed, self._models.get(deployed.model))
        with self._lock:
            endpoint = self._find(asked.endpoint)
            self._refuse_busy(endpoint)
            known = [each.id for each in endpoint.deployed_models]
            deployed.id = deployed.id or str(10**9 + secrets.randbelow(9 * 10**9))
            if deployed.id in known:
                raise ServiceError(409, f"DeployedModel {deployed.id} already exists.")
            if asked.traffic_split:
                check_split(asked.traffic_split, [*known, "0"])
            self._complete(deployed)
            # What an earlier deployment of that id left.
            shutil.rmtree(self._deployed_folder(endpoint, deployed.id), ignore_errors=True)
            for replica in self._replicas(endpoint, deployed.id, _count(deployed)):
                replica.start(self._container(endpoint, deployed))
            metadata = DeployModelOperationMetadata.pb(DeployModelOperationMetadata())
            given = {
                "deployedModel": MessageToDict(deployed),
                "trafficSplit": dict(asked.traffic_split),
                "until": time.time() + (self._ready_s(deployed) or _READY_S),
            }
            return self._operations.begin(endpoint.name, metadata, "deploy", given)

    def undeploy(self, asked: Message) -> Message:
        """End a model's containers after their last requests; returns the operation.

        Raises:
            ServiceError: it isn't deployed, or gets requests.
        """
        from google.cloud.aiplatform_v1.types import UndeployModelOperationMetadata

        with self._lock:
            endpoint = self._find(asked.endpoint)
            self._refuse_busy(endpoint)
            number = asked.deployed_model_id
            others = [each.id for each in endpoint.deployed_models if each.id != number]
            if len(others) == len(endpoint.deployed_models):
                raise ServiceError(404, f"There is no DeployedModel {number} in the endpoint.")
            if asked.traffic_split:
                check_split(asked.traffic_split, others)
                _replace(endpoint.traffic_split, asked.traffic_split)
            elif others and endpoint.traffic_split.get(number):
                raise ServiceError(
                    400, f"DeployedModel {number} has traffic assigned to it.", "FAILED_PRECONDITION"
                )
            else:
                endpoint.traffic_split.pop(number, None)
            self._save(endpoint)
            metadata = UndeployModelOperationMetadata.pb(UndeployModelOperationMetadata())
            return self._operations.begin(endpoint.name, metadata, "undeploy", {"id": number})

    def mutate(self, asked: Message) -> Message:
        """Change how many containers a model has; returns the operation.

        Raises:
            ServiceError: it isn't deployed, or the mask holds something else.
        """
        from google.cloud.aiplatform_v1.types import (
            MutateDeployedModelOperationMetadata,
            MutateDeployedModelResponse,
        )

        paths = [path.removeprefix("dedicated_resources.") for path in asked.update_mask.paths]
        if not paths or any(path not in _MUTABLE for path in paths):
            raise ServiceError(400, f"update_mask can't hold: {', '.join(paths) or 'nothing'}")
        faults = [message for _, message in bound_faults(asked.deployed_model.dedicated_resources)]
        if faults:
            raise ServiceError(400, faults[0])
        with self._lock:
            endpoint = self._find(asked.endpoint)
            self._refuse_busy(endpoint)
            deployed = _deployed(endpoint, asked.deployed_model.id)
            for path in paths:
                new = getattr(asked.deployed_model.dedicated_resources, path)
                setattr(deployed.dedicated_resources, path, new)
            self._fit(endpoint, deployed)
            self._save(endpoint)
            metadata = MutateDeployedModelOperationMetadata.pb(MutateDeployedModelOperationMetadata())
            response = MutateDeployedModelResponse.pb(MutateDeployedModelResponse())
            response.deployed_model.CopyFrom(deployed)
            return self._operations.done(endpoint.name, metadata, response)

    def backing(self, name: str, choose: Callable[[Message], str]) -> Backing:
        """What answers a request to the endpoint now.

        Args:
            name: of the endpoint.
            choose: gives the id of a DeployedModel by the endpoint's split.

        Raises:
            ServiceError: there is no such endpoint, or nothing behind it.
        """
        with self._lock:
            endpoint = self._find(name)
            if not endpoint.traffic_split:
                raise ServiceError(400, f"Endpoint {name} doesn't have traffic_split.", "FAILED_PRECONDITION")
            deployed = _copy(_deployed(endpoint, choose(endpoint)))
            running = [each for each in self._replicas(endpoint, deployed.id) if each.is_running]
            return Backing(deployed, self._container(endpoint, deployed), running)

    def logs(self, endpoint_id: str) -> Iterator[tuple[str, str, Path]]:
        """DeployedModel's id, name of a replica's start, and file of what it printed; also of failed ones."""
        for folder in sorted((self._folder / endpoint_id / "deployed").glob("*")):
            for replica in sorted((folder / "replicas").glob("*")):
                for log in Replica(replica).logs():
                    yield folder.name, f"{replica.name}-{log.parent.name}", log

    def is_deployed(self, model_name: str) -> bool:
        """Whether a model is behind an endpoint, or is being put there."""
        wanted = model_name.rpartition("/")[2].partition("@")[0]
        with self._lock:
            there = [each.model for endpoint in self._endpoints.values() for each in endpoint.deployed_models]
            coming = [work.given["deployedModel"]["model"] for work in self._going_on("deploy")]
            return any(each.rpartition("/")[2].partition("@")[0] == wanted for each in (*there, *coming))

    def close(self) -> None:
        """End all containers; the endpoints stay, and are started again with the emulator."""
        self._closed.set()
        self._watcher.join()
        replicas = [
            replica
            for number in self._endpoints
            for folder in (self._folder / number / "deployed").glob("*/replicas/*")
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
                works = self._operations.going_on()
            for work in works:
                self._go_on(work)
            self._restart()

    def _go_on(self, work: Work) -> None:
        with self._lock:
            endpoint = self._endpoints.get(work.of.rpartition("/")[2])
        if endpoint is None:
            self._operations.fail(work.name, _FAILED_PRECONDITION, "The endpoint is gone.")
        elif work.kind == "deploy":
            self._go_on_deploying(endpoint, work)
        else:
            self._go_on_undeploying(endpoint, work)

    def _go_on_deploying(self, endpoint: Message, work: Work) -> None:
        from google.cloud.aiplatform_v1 import DeployedModel
        from google.protobuf.json_format import ParseDict

        deployed = ParseDict(work.given["deployedModel"], DeployedModel.pb(DeployedModel()))
        replicas = self._replicas(endpoint, deployed.id, _count(deployed))
        container = self._container(endpoint, deployed)
        if time.time() > work.given["until"] or not all(each.is_running for each in replicas):
            for replica in replicas:
                replica.terminate(0)
            self._operations.fail(work.name, _FAILED_PRECONDITION, _never_ready(endpoint, deployed))
            return
        if not all(each.is_healthy(container) for each in replicas):
            return
        with self._lock:
            self._put_behind(endpoint, deployed, work)

    def _put_behind(self, endpoint: Message, deployed: Message, work: Work) -> None:
        from google.cloud.aiplatform_v1.types import DeployModelResponse

        deployed.create_time.GetCurrentTime()
        endpoint.deployed_models.append(deployed)
        if split := work.given["trafficSplit"]:
            _replace(
                endpoint.traffic_split,
                {deployed.id if number == "0" else number: int(part) for number, part in split.items()},
            )
        self._save(endpoint)
        response = DeployModelResponse.pb(DeployModelResponse())
        response.deployed_model.CopyFrom(deployed)
        self._operations.finish(work.name, response)

    def _go_on_undeploying(self, endpoint: Message, work: Work) -> None:
        from google.cloud.aiplatform_v1.types import UndeployModelResponse

        number = work.given["id"]
        running = [each for each in self._replicas(endpoint, number) if each.is_running]
        for replica in running:
            replica.terminate(self._grace_s)
        if running:
            return
        with self._lock:
            kept = [each for each in endpoint.deployed_models if each.id != number]
            del endpoint.deployed_models[:]
            endpoint.deployed_models.extend(kept)
            self._save(endpoint)
            self._operations.finish(work.name, UndeployModelResponse.pb(UndeployModelResponse()))

    def _restart(self) -> None:
        """Start containers again that ended by themselves."""
        with self._lock:
            leaving = {work.given["id"] for work in self._going_on("undeploy")}
            for endpoint in self._endpoints.values():
                for deployed in endpoint.deployed_models:
                    if deployed.id in leaving:
                        continue
                    for replica in self._replicas(endpoint, deployed.id, _count(deployed)):
                        if not replica.is_running and replica.age_s > _RESTART_S:
                            replica.start(self._container(endpoint, deployed))

    def _fit(self, endpoint: Message, deployed: Message) -> None:
        """End the containers that are too many; the watcher starts those that are too few."""
        for replica in self._replicas(endpoint, deployed.id)[_count(deployed) :]:
            replica.terminate(self._grace_s)

    def _find(self, name: str) -> Message:
        found = self._endpoints.get(name.rpartition("/")[2])
        if found is None:
            raise ServiceError(404, f"The Endpoint does not exist: {name}")
        return found

    def _refuse_busy(self, endpoint: Message) -> None:
        if any(work.of == endpoint.name for work in self._operations.going_on()):
            raise ServiceError(
                400, f"Another operation on {endpoint.name} has not ended.", "FAILED_PRECONDITION"
            )

    def _going_on(self, kind: str) -> list[Work]:
        return [work for work in self._operations.going_on() if work.kind == kind]

    def _complete(self, deployed: Message) -> None:
        """What the service adds."""
        model = self._models.get(deployed.model)
        deployed.model, deployed.model_version_id = model.name, model.version_id
        deployed.display_name = deployed.display_name or model.display_name
        resources = deployed.dedicated_resources
        resources.max_replica_count = resources.max_replica_count or resources.min_replica_count

    def _container(self, endpoint: Message, deployed: Message) -> Container:
        model = self._models.get(deployed.model)
        return container_of(endpoint, deployed, model, self._program, self._environment)

    def _ready_s(self, deployed: Message) -> float:
        spec = self._models.get(deployed.model).container_spec
        return float(spec.deployment_timeout.ToNanoseconds() / 1e9)

    def _deployed_folder(self, endpoint: Message, number: str) -> Path:
        return self._folder / _id(endpoint) / "deployed" / number

    def _replicas(self, endpoint: Message, number: str, count: int = 0) -> list[Replica]:
        """Those that have a folder, or the first ``count``."""
        folder = self._deployed_folder(endpoint, number) / "replicas"
        if count:
            return [Replica(folder / str(each)) for each in range(count)]
        return [Replica(path) for path in sorted(folder.glob("*"), key=lambda path: int(path.name))]

    def _save(self, endpoint: Message) -> None:
        from google.protobuf.json_format import MessageToDict

        _stamp(endpoint)
        path = self._folder / _id(endpoint) / "endpoint.json"
        write_bytes(path, json.dumps(MessageToDict(endpoint)).encode())


def _count(deployed: Message) -> int:
    return int(deployed.dedicated_resources.min_replica_count)


def _deployed(endpoint: Message, number: str) -> Message:
    for each in endpoint.deployed_models:
        if each.id == number:
            return each
    raise ServiceError(404, f"There is no DeployedModel {number} in {endpoint.name}.")


def _never_ready(endpoint: Message, deployed: Message) -> str:
    """The service's words."""
    return (
        f"Failed to deploy {deployed.model}: Model server never became ready. Please validate that your model"
        " file or container configuration are valid. Model server logs can be found at"
        " https://console.cloud.google.com/logs/viewer?resource=aiplatform.googleapis.com%2FEndpoint"
        f"%2Fendpoint_id%2F{_id(endpoint)}."
    )


def _id(endpoint: Message) -> str:
    return str(endpoint.name.rpartition("/")[2])


def _stamp(endpoint: Message) -> None:
    endpoint.update_time.GetCurrentTime()
    endpoint.etag = f"AMEw{secrets.token_hex(12)}"


def _replace(field: Any, values: Mapping[str, Any]) -> None:
    field.clear()
    field.update(values)


def _copy(message: Message) -> Message:
    copy = type(message)()
    copy.CopyFrom(message)
    return copy


def _stored(folder: Path) -> Iterator[Message]:
    from google.cloud.aiplatform_v1 import Endpoint
    from google.protobuf.json_format import ParseDict

    for path in sorted(folder.glob("*/endpoint.json")):
        with suppress(ValueError):
            yield ParseDict(json.loads(path.read_bytes()), Endpoint.pb(Endpoint()))
