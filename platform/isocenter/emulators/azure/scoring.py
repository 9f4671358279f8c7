"""Scoring: a request is passed on to a deployment by the endpoint's traffic, and copied by its mirror.

https://learn.microsoft.com/azure/machine-learning/how-to-safely-rollout-online-endpoints
"""

import threading
import time
from dataclasses import dataclass

from isocenter.emulators.azure.online_endpoints import OnlineEndpoints
from isocenter.emulators.azure.workspace import RefusedError
from isocenter.emulators.replica import post
from isocenter.emulators.turns import Turns
from isocenter.emulators.web_server import Answer, Request

_TRIES = 2
_DEPLOYMENT = "azureml-model-deployment"
_ALL = 100


@dataclass(frozen=True)
class Response:
    """One answer of a container, for Azure Monitor.

    Args:
        at: seconds since 1970.
        endpoint: its name.
        deployment: who answered.
        status: of HTTP.
        seconds: it took.
    """

    at: float
    endpoint: str
    deployment: str
    status: int
    seconds: float


class Scoring:
    """Passes requests on.

    Args:
        endpoints: who answers.
    """

    def __init__(self, endpoints: OnlineEndpoints) -> None:
        self._endpoints = endpoints
        self._turns, self._mirrors = Turns(), Turns()
        self._lock = threading.Lock()
        self._next_replica: dict[str, int] = {}
        self._responses: list[Response] = []

    @property
    def responses(self) -> list[Response]:
        """Since the emulator was started."""
        with self._lock:
            return list(self._responses)

    def answer(self, name: str, request: Request) -> Answer:
        """What the caller gets.

        Raises:
            RefusedError: there is nobody to answer.
        """
        properties = self._endpoints.get(name)["properties"]
        traffic = {key: int(part) for key, part in (properties.get("traffic") or {}).items() if part}
        chosen = request.headers.get(_DEPLOYMENT, "")
        if not chosen:
            if not traffic:
                raise RefusedError(404, "NoTraffic", f"No deployment of {name} gets traffic.")
            chosen = self._turns.next(name, traffic)
            self._mirror(name, properties.get("mirrorTraffic") or {}, request)
        status, kind, said = self._ask(name, chosen, request)
        return Answer(status, said, {"Content-Type": kind, _DEPLOYMENT: chosen})

    def _mirror(self, name: str, mirror: dict[str, int], request: Request) -> None:
        """Send a copy to the deployment that gets some; its answer is nobody's."""
        for deployment, part in mirror.items():
            if part and self._mirrors.next(name, {deployment: part, "": _ALL - part}) == deployment:
                threading.Thread(target=self._ask, args=(name, deployment, request), daemon=True).start()

    def _ask(self, name: str, deployment: str, request: Request) -> tuple[int, str, bytes]:
        container, replicas = self._endpoints.serving(name, deployment)
        begun = time.time()
        status, kind, said = 503, "text/plain", b"No instance is ready."
        content_type = request.headers.get("content-type", "application/json")
        for _ in range(_TRIES if replicas else 0):
            with self._lock:
                turn = self._next_replica.get(deployment, 0)
                self._next_replica[deployment] = turn + 1
            port = replicas[turn % len(replicas)].port
            if found := post(port, container.predict_route, request.body, content_type):
                status, kind, said = found
                break
        with self._lock:
            self._responses.append(Response(begun, name, deployment, status, time.time() - begun))
        return status, kind, said
