"""What SageMaker tells CloudWatch of its endpoints' requests; here within a second, there in minutes."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from typing import Any

from isocenter.emulators.aws.clients import Clients

_INTERVAL_S = 0.2
_MOST_VALUES = 150
Call = tuple[int, float, float]  # status, seconds, when


class EndpointMetrics:
    """Counts requests, and sends the counts on in a thread of its own until closed.

    Args:
        clients: of the account.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._lock = threading.Lock()
        self._calls: dict[tuple[str, str, str], list[Call]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def count(self, endpoint: str, region: str, variant: str, status: int, seconds: float) -> None:
        """One request; ``status`` 0: the container did not answer."""
        with self._lock:
            self._calls.setdefault((region, endpoint, variant), []).append((status, seconds, time.time()))

    def close(self) -> None:
        """Send no more."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(_INTERVAL_S):
            with self._lock:
                taken, self._calls = self._calls, {}
            for (region, endpoint, variant), calls in taken.items():
                dimensions = [
                    {"Name": "EndpointName", "Value": endpoint},
                    {"Name": "VariantName", "Value": variant},
                ]
                data = [{**datum, "Dimensions": dimensions} for datum in _data(calls)]
                with suppress(Exception):  # moto has gone: so will this
                    self._clients.client("cloudwatch", region).put_metric_data(
                        Namespace="AWS/SageMaker", MetricData=data
                    )


def _data(calls: list[Call]) -> Iterator[dict[str, Any]]:
    """By the second in which they came, not the one in which they are told: a rollout may lie between."""
    for at, together in groupby(sorted(calls, key=_second), key=_second):
        yield from _of_one_second(list(together), at)


def _second(call: Call) -> int:
    return int(call[2])


def _of_one_second(calls: list[Call], at: int) -> Iterator[dict[str, Any]]:
    statuses = [status for status, _, _ in calls]
    counted = {
        "Invocations": len(calls),
        "Invocation4XXErrors": sum(400 <= status < 500 for status in statuses),
        "Invocation5XXErrors": sum(status == 0 or status >= 500 for status in statuses),
    }
    for name, count in counted.items():
        yield {"MetricName": name, "Value": float(count), "Unit": "None", "Timestamp": at}
    for begin in range(0, len(calls), _MOST_VALUES):
        values = [seconds * 1e6 for _, seconds, _ in calls[begin : begin + _MOST_VALUES]]
        yield {"MetricName": "ModelLatency", "Values": values, "Unit": "Microseconds", "Timestamp": at}
