"""Predictions: passed on to a container by the endpoint's traffic split, counted, and answered.

https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.endpoints/predict
"""

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from isocenter.emulators.gcp.endpoints import Backing, Endpoints
from isocenter.emulators.gcp.service_error import ServiceError
from isocenter.emulators.replica import post
from isocenter.emulators.turns import Turns
from isocenter.emulators.web_server import Answer

_TRIES = 2
_LONGEST_WORDS = 2_000
# https://cloud.google.com/vertex-ai/docs/quotas: shared host name, and the endpoint's own or private.
_SHARED_BYTES, _OWN_BYTES = 1_500_000, 10_000_000


@dataclass(frozen=True)
class Response:
    """One answer of a container, for Cloud Monitoring.

    Args:
        at: seconds since 1970.
        endpoint_id: of the endpoint.
        deployed_model_id: who answered.
        status: of HTTP.
        seconds: it took.
    """

    at: float
    endpoint_id: str
    deployed_model_id: str
    status: int
    seconds: float


class Predictions:
    """Passes requests on.

    Args:
        endpoints: who answers.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        self._endpoints = endpoints
        self._lock = threading.Lock()
        self._turns = Turns()
        self._next_replica: dict[str, int] = {}
        self._responses: list[Response] = []

    @property
    def responses(self) -> list[Response]:
        """Since the emulator was started."""
        with self._lock:
            return list(self._responses)

    def predict(self, asked: Any, size: int) -> Any:
        """PredictResponse to a PredictRequest of ``size`` bytes.

        Raises:
            ServiceError: there is nobody to answer, or the container refuses.
        """
        from google.cloud.aiplatform_v1.types import PredictResponse
        from google.protobuf.json_format import MessageToDict, ParseDict

        given = MessageToDict(asked)
        body = {key: given[key] for key in ("instances", "parameters") if key in given}
        backing = self._backing(asked.endpoint, size)
        status, _, said = self._ask(asked.endpoint, backing, json.dumps(body).encode(), "application/json")
        if status != 200:
            raise ServiceError(status, said.decode(errors="replace")[:_LONGEST_WORDS])
        try:
            found = json.loads(said)
            answer = {"predictions": found["predictions"], "metadata": found.get("metadata")}
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceError(500, 'The container\'s answer is no {"predictions": [...]}.') from error
        response = ParseDict(
            {key: value for key, value in answer.items() if value is not None},
            PredictResponse.pb(PredictResponse()),
        )
        response.deployed_model_id = backing.deployed.id
        response.model = backing.deployed.model
        response.model_version_id = backing.deployed.model_version_id
        response.model_display_name = backing.deployed.display_name
        return response

    def raw_predict(self, name: str, body: bytes, content_type: str) -> Answer:
        """The container's own answer to any body.

        Raises:
            ServiceError: there is nobody to answer.
        """
        backing = self._backing(name, len(body))
        status, kind, said = self._ask(name, backing, body, content_type)
        headers = {
            "Content-Type": kind,
            "X-Vertex-AI-Endpoint-Id": name.rpartition("/")[2],
            "X-Vertex-AI-Deployed-Model-Id": backing.deployed.id,
        }
        return Answer(status, said, headers)

    def _backing(self, name: str, size: int) -> Backing:
        endpoint = self._endpoints.get(name)
        private = endpoint.private_service_connect_config.enable_private_service_connect
        largest = _OWN_BYTES if private or endpoint.dedicated_endpoint_enabled else _SHARED_BYTES
        if size > largest:
            raise ServiceError(400, f"Request size exceeds the limit of {largest} bytes.")
        return self._endpoints.backing(name, self._choose)

    def _choose(self, endpoint: Any) -> str:
        return self._turns.next(endpoint.name, dict(endpoint.traffic_split))

    def _ask(self, name: str, backing: Backing, body: bytes, content_type: str) -> tuple[int, str, bytes]:
        begun = time.time()
        status, kind, said = 503, "text/plain", b"The model server is not ready."
        for _ in range(_TRIES):
            port = self._port(backing)
            if port is None:
                break
            found = post(port, backing.container.predict_route, body, content_type)
            if found is not None:
                status, kind, said = found
                break
        response = Response(begun, name.rpartition("/")[2], backing.deployed.id, status, time.time() - begun)
        with self._lock:
            self._responses.append(response)
        return status, kind, said

    def _port(self, backing: Backing) -> int | None:
        if not backing.replicas:
            return None
        with self._lock:
            turn = self._next_replica.get(backing.deployed.id, 0)
            self._next_replica[backing.deployed.id] = turn + 1
        return backing.replicas[turn % len(backing.replicas)].port
