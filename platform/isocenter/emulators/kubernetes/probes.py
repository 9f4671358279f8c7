"""Readiness of pods: asked over HTTP beside the cluster's clock, so that a slow pod holds nothing up.

https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-probes
"""

import http.client
import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

Object = dict[str, Any]
_PERIOD_S = 0.2
"""Shorter than probes say: nobody waits for seconds here."""
_TIMEOUT_S = 2.0


class Probes:
    """Asks pods whether they are ready."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="probes")
        self._asked: dict[str, tuple[float, Future[bool]]] = {}
        self._known: dict[str, bool] = {}

    def is_ready(self, pod: Object) -> bool:
        """What its last probe found; without a probe it is ready when it runs."""
        probe = pod["spec"]["containers"][0].get("readinessProbe")
        if not probe:
            return True
        uid = pod["metadata"]["uid"]
        at, future = self._asked.get(uid, (0.0, None))
        if future is not None and future.done():
            self._known[uid] = future.result()
        if (future is None or future.done()) and time.monotonic() - at > _PERIOD_S:
            asked = self._pool.submit(_answers, pod["status"]["podIP"], probe["httpGet"])
            self._asked[uid] = (time.monotonic(), asked)
        return self._known.get(uid, False)

    def forget(self, pod: Object) -> None:
        """Its container has ended."""
        self._asked.pop(pod["metadata"]["uid"], None)
        self._known.pop(pod["metadata"]["uid"], None)

    def close(self) -> None:
        """Ask no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _answers(address: str, get: Object) -> bool:
    connection = http.client.HTTPConnection(address, int(get["port"]), timeout=_TIMEOUT_S)
    try:
        connection.request("GET", get["path"])
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
