"""A job's log on Kubernetes: its first pod's, also across replaced pods and broken connections."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

from isocenter.backends.following import Look
from isocenter.backends.kubernetes_pod import CONTAINER
from isocenter.backends.kubernetes_state import has_started, pod_index
from isocenter.errors import IsocenterError, TransientFaultError

_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 0.05, 2.0


class LogSource(Protocol):
    """What the reader asks."""

    def log(self, pod: str, container: str, *, follow: bool) -> Iterator[bytes]:
        """What the container wrote, in pieces as they come."""
        ...


class JobLog:
    """Reads one job's log.

    Args:
        source: of each pod's log.
        pods: the job's pods now.
        has_ended: whether the job is over.
    """

    def __init__(
        self,
        source: LogSource,
        pods: Callable[[], Sequence[dict[str, Any]]],
        has_ended: Callable[[], bool],
    ) -> None:
        self._source = source
        self._pods = pods
        self._has_ended = has_ended
        self._given: Counter[str] = Counter()

    def read(self) -> Iterator[str]:
        """The lines that are there now: the first pod's, then those of others that failed."""
        pods = self._pods()
        for pod in self._speakers(pods):
            yield from self._lines(pod, follow=False)
        yield from self._last_words(pods)

    def follow(self) -> Iterator[Look]:
        """The lines as they come, until the job ends, and faults on the way."""
        wait = _SHORTEST_WAIT_S
        while True:
            before, streaming = self._given.total(), False
            try:
                ended, pods = self._has_ended(), self._pods()
                if not ended:
                    yield None
                    streaming = True
                for pod in self._speakers(pods):
                    yield from self._lines(pod, follow=not ended)
                if ended:
                    yield from self._last_words(self._pods())
                    return
            except TransientFaultError as fault:
                # What was given is not given twice. A stream that breaks, or is silent, is no outage: whether
                # the cluster answers is asked next.
                if not streaming:
                    yield fault
            wait = _SHORTEST_WAIT_S if self._given.total() > before else min(wait * 1.5, _LONGEST_WAIT_S)
            time.sleep(wait)

    def _speakers(self, pods: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        first = [pod for pod in pods if pod_index(pod) == 0 and has_started(pod)]
        return sorted(first, key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")))

    def _last_words(self, pods: Sequence[dict[str, Any]]) -> Iterator[str]:
        """The logs of other pods that failed: the first may not know why."""
        for pod in sorted(pods, key=pod_index):
            if pod_index(pod) and pod.get("status", {}).get("phase") == "Failed":
                for line in self._lines(pod, follow=False):
                    yield f"[node {pod_index(pod)}] {line}"

    def _lines(self, pod: dict[str, Any], *, follow: bool) -> Iterator[str]:
        """Lines not given before; one that a broken connection cut off comes whole the next time."""
        name = pod["metadata"]["name"]
        number, rest = 0, b""
        try:
            for piece in self._source.log(name, CONTAINER, follow=follow):
                *lines, rest = (rest + piece).split(b"\n")
                for line in lines:
                    number += 1
                    if number > self._given[name]:
                        self._given[name] = number
                        yield line.decode("utf-8", errors="replace")
        except TransientFaultError:
            raise
        except IsocenterError:
            return  # the pod has gone, or its container has not started after all
        if rest and number + 1 > self._given[name] and (not follow or self._has_ended()):
            self._given[name] = number + 1
            yield rest.decode("utf-8", errors="replace")
