"""What pods of the serving program counted, from their Prometheus metrics."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from isocenter.domain.rollout import Observation, is_refusal

_LINE = re.compile(r"isocenter_serving_(?P<name>\w+)\{(?P<labels>[^}]*)\} (?P<value>\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# Routes that are no predictions.
_OTHERS = ("/healthz", "/readyz", "/metrics", "/ping", "/live", "/ready", "/health", "/openapi.json")
_NO_PREDICTION = (*_OTHERS, "/v1/model", "/v2/models/{name}", "/v2", "unmatched")
_PERCENTILE = 0.99
_SERVER_ERROR = "5"


@dataclass
class Counts:
    """Of one pod, or of several together.

    Args:
        requests: for predictions.
        refused: of these, answered with 400 to 499.
        errors: of these, answered with 500 or above.
        abstained: images without a decision.
        seconds: upper bound -> requests that took no longer.
    """

    requests: int = 0
    refused: int = 0
    errors: int = 0
    abstained: int = 0
    seconds: Counter[float] = field(default_factory=Counter)

    def __sub__(self, other: "Counts") -> "Counts":
        """What came since ``other``; a pod that was started again counts from nothing."""
        if other.requests > self.requests:
            return self
        seconds = Counter({bound: n - other.seconds[bound] for bound, n in self.seconds.items()})
        return Counts(
            self.requests - other.requests,
            self.refused - other.refused,
            self.errors - other.errors,
            max(0, self.abstained - other.abstained),
            seconds,
        )

    def as_json(self) -> dict[str, Any]:
        """JSON-able fields."""
        seconds = {str(bound): count for bound, count in self.seconds.items()}
        return {**vars(self), "seconds": seconds}

    def observation(self) -> Observation:
        """The counts in the domain's words; latency is known to the width of a bucket.

        The pods' latencies are of all answers. Refusals are taken for the fastest, so that the percentile of
        the others is not less than it was.
        """
        counted = self.requests - self.refused
        enough = self.refused + counted * _PERCENTILE
        bounds = sorted(bound for bound, count in self.seconds.items() if count >= enough)
        p99 = bounds[0] if bounds and counted else None
        return Observation(counted, self.errors, self.abstained, p99)


def counts_in(exposition: str) -> Counts:
    """The counts in Prometheus's text format."""
    found = Counts()
    for match in _LINE.finditer(exposition):
        labels, value = dict(_LABEL.findall(match["labels"])), int(float(match["value"]))
        if labels.get("route", "").endswith(_NO_PREDICTION):
            continue
        if match["name"] == "requests_total":
            found.requests += value
            found.refused += value * is_refusal(int(labels["status"]))
            found.errors += value * labels["status"].startswith(_SERVER_ERROR)
        elif match["name"] == "images_total" and labels["outcome"] == "abstained":
            found.abstained += value
        elif match["name"] == "request_seconds_bucket" and labels["le"] != "+Inf":
            found.seconds[float(labels["le"])] += value
    return found


def counts_from_json(value: Mapping[str, Any]) -> Counts:
    """The counts of :meth:`Counts.as_json`."""
    seconds = Counter({float(bound): count for bound, count in value["seconds"].items()})
    # Counts that were kept by an earlier release know of no refusals.
    refused = value.get("refused", 0)
    return Counts(value["requests"], refused, value["errors"], value["abstained"], seconds)


def total(counts: Iterable[Counts]) -> Counts:
    """All together."""
    whole = Counts()
    for each in counts:
        whole.requests += each.requests
        whole.refused += each.refused
        whole.errors += each.errors
        whole.abstained += each.abstained
        whole.seconds.update(each.seconds)
    return whole
