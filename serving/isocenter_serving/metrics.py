"""What is counted, over all worker processes (Prometheus).

``prometheus_client`` keeps each process's numbers in files of PROMETHEUS_MULTIPROC_DIR, which must be set
before it is imported: :mod:`.process` does that, and everything here imports late.
"""

import os
from typing import TYPE_CHECKING

from isocenter_serving.answer import Refusal

if TYPE_CHECKING:
    from isocenter_serving.instance import Served

DIRECTORY_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64)
_SCORES = tuple(round(0.05 * step, 2) for step in range(1, 21))


class Metrics:
    """The counters of this process. Labels are of small fixed sets; nothing of a request is among them.

    Args:
        model: name of the model.
        version: its number.
    """

    def __init__(self, model: str, version: str) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        registry = self._registry = CollectorRegistry()
        prefix = "isocenter_serving_"
        self._requests = Counter(
            prefix + "requests", "Requests answered.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            prefix + "request_seconds",
            "From the first byte of a request's head to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._images = Counter(
            prefix + "images",
            "Images by what became of them: a class, abstained, or why refused.",
            ["outcome"],
            registry=registry,
        )
        self._scores = Histogram(prefix + "score", "Calibrated scores.", buckets=_SCORES, registry=registry)
        self._decoding = Histogram(
            prefix + "decode_seconds", "From bytes to tensor, an image.", buckets=_SECONDS, registry=registry
        )
        self._network = Histogram(
            prefix + "network_seconds", "One call of the network.", buckets=_SECONDS, registry=registry
        )
        self._batches = Histogram(
            prefix + "batch_images", "Images in one call of the network.", buckets=_SIZES, registry=registry
        )
        self._explaining = Histogram(
            prefix + "explanation_seconds",
            "An explanation that was made, with its prediction.",
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue = Gauge(
            prefix + "queue_images",
            "Images that wait or are worked on.",
            multiprocess_mode="livesum",
            registry=registry,
        )
        self._ready = Gauge(
            prefix + "ready_workers", "Workers that answer.", multiprocess_mode="livesum", registry=registry
        )
        self._denied = Counter(prefix + "denied", "Callers not let in.", ["reason"], registry=registry)
        self._hooks = Counter(
            prefix + "hook_failures", "Answers that a hook failed on.", ["hook"], registry=registry
        )
        info = Gauge(
            prefix + "model",
            "The model that answers.",
            ["model", "version"],
            multiprocess_mode="livemax",
            registry=registry,
        )
        info.labels(model, version).set(1)

    def request(self, route: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(seconds)

    def image(self, served: "Served") -> None:
        """An image was answered."""
        outcome = served.outcome
        if outcome is None:
            return
        if isinstance(outcome, Refusal):
            self._images.labels(outcome.reason).inc()
            return
        self._images.labels("abstained" if served.reasons else outcome.decision).inc()
        self._scores.observe(outcome.score)

    def decoded(self, seconds: float) -> None:
        """An image was decoded, or refused."""
        self._decoding.observe(seconds)

    def batch(self, images: int, seconds: float) -> None:
        """The network was called."""
        self._batches.observe(images)
        self._network.observe(seconds)

    def explained(self, seconds: float) -> None:
        """An explanation was made."""
        self._explaining.observe(seconds)

    def queue(self, images: int) -> None:
        """So many images are in this process."""
        self._queue.set(images)

    def ready(self, ready: bool) -> None:
        """This process answers, or doesn't any more."""
        self._ready.set(int(ready))

    def denied(self, reason: str) -> None:
        """A caller wasn't let in."""
        self._denied.labels(reason).inc()

    def hook_failed(self, hook: str) -> None:
        """A hook failed."""
        self._hooks.labels(hook).inc()

    def exposition(self) -> tuple[bytes, str]:
        """All processes' numbers in Prometheus's text format, and its media type."""
        from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = self._registry
        if os.environ.get(DIRECTORY_VARIABLE):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry), CONTENT_TYPE_LATEST


def forget_process(pid: int) -> None:
    """Drop the gauges of a process that has ended."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]
