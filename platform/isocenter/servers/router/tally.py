"""Counts of what each version did, from which gates decide."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from isocenter.domain.rollout import is_refusal
from isocenter.servers.router.answers import Scored

_SERVER_ERROR = 500
# Latencies are counted in buckets, each this much wider than the one before: a bounded error, little memory.
_GROWTH = 1.05
_SHORTEST_S = 1e-4
_PERCENTILE = 0.99


@dataclass
class Tally:
    """What one version did since the present split began."""

    requests: int = 0
    errors: int = 0
    abstained: int = 0
    pairs: int = 0
    shift: float = 0.0
    changed: int = 0
    latencies: Counter[int] = field(default_factory=Counter)

    def count(self, status: int | None, latency_s: float, scored: Sequence[Scored]) -> None:
        """One request; ``status`` None where there was no answer. A refused caller is not counted."""
        if status is not None and is_refusal(status):
            return
        self.requests += 1
        self.errors += status is None or status >= _SERVER_ERROR
        self.abstained += any(each.abstained for each in scored)
        self.latencies[_bucket(latency_s)] += 1

    def compare(self, own: Sequence[Scored], other: Sequence[Scored]) -> None:
        """What two versions said of the same request; images that only one scored say nothing."""
        for mine, theirs in zip(own, other, strict=False):
            if mine.score is not None and theirs.score is not None:
                self.pairs += 1
                self.shift += abs(mine.score - theirs.score)
                self.changed += mine.decision != theirs.decision

    def as_json(self) -> dict[str, Any]:
        """The counts as :class:`isocenter.domain.rollout.Observation` has them."""
        return {
            "requests": self.requests,
            "errors": self.errors,
            "abstained": self.abstained,
            "p99_s": self._percentile(),
            "comparison": {
                "pairs": self.pairs,
                "mean_shift": self.shift / self.pairs if self.pairs else None,
                "changed": self.changed,
            },
        }

    def _percentile(self) -> float | None:
        left = math.ceil(self.requests * _PERCENTILE)
        for bucket in sorted(self.latencies):
            left -= self.latencies[bucket]
            if left <= 0:
                return round(_SHORTEST_S * _GROWTH ** (bucket + 1), 4)
        return None


def _bucket(latency_s: float) -> int:
    return max(0, int(math.log(max(latency_s, _SHORTEST_S) / _SHORTEST_S, _GROWTH)))
