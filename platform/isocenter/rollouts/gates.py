"""What a new version must show before it gets more of the traffic."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from isocenter.domain.rollout import Observation

_FEWEST_ERRORS = 5
"""Fewer may be an accident, whatever share of the first requests they are."""


@dataclass(frozen=True)
class Gates:
    """Bounds; one that is None is not asked about.

    Args:
        error_rate: share of its requests that may end in an error.
        p99_s: 99th percentile of its latency, in seconds.
        abstention_rate: share of its requests that may get no decision.
        score_shift: mean absolute difference from the stable version's scores on the same requests.
        min_requests: so many it must have had.
        watch_s: so long it is watched at least.
        wait_s: so long it is waited for ``min_requests``.
    """

    error_rate: float | None = 0.01
    p99_s: float | None = None
    abstention_rate: float | None = None
    score_shift: float | None = None
    min_requests: int = 50
    watch_s: float = 60.0
    wait_s: float = 3600.0

    def as_json(self) -> dict[str, Any]:
        """JSON-able fields."""
        return asdict(self)


@dataclass(frozen=True)
class GateResult:
    """How one gate stands.

    Args:
        name: ``error-rate``, ``p99``, ``abstention-rate``, ``score-shift`` or ``requests``.
        value: what was seen; None where nothing was.
        limit: what is allowed.
        holds: whether it holds.
    """

    name: str
    value: float | None
    limit: float
    holds: bool

    @property
    def text(self) -> str:
        """For a person: ``error-rate 0.12, at most 0.01``."""
        seen = "not seen" if self.value is None else f"{self.value:.4g}"
        word = "at least" if self.name == "requests" else "at most"
        return f"{self.name} {seen}, {word} {self.limit:.4g}"


def gate_results(gates: Gates, seen: Observation) -> tuple[GateResult, ...]:
    """How each gate stands that ``gates`` asks about. What was not measured does not hold."""
    return tuple(_results(gates, seen))


def has_too_many_errors(gates: Gates, seen: Observation) -> bool:
    """Whether so many requests failed that ``min_requests`` can't make up for them if all others are good."""
    if gates.error_rate is None or seen.errors < _FEWEST_ERRORS:
        return False
    return seen.errors > gates.error_rate * max(gates.min_requests, seen.requests)


def gates_from_json(value: Mapping[str, Any]) -> Gates:
    """The gates of :meth:`Gates.as_json`."""
    return Gates(**value)


def _results(gates: Gates, seen: Observation) -> Iterator[GateResult]:
    measured = {
        "error-rate": (_share(seen.errors, seen.requests), gates.error_rate),
        "p99": (seen.p99_s, gates.p99_s),
        "abstention-rate": (_share(seen.abstained, seen.requests), gates.abstention_rate),
        "score-shift": (seen.comparison.mean_shift, gates.score_shift),
    }
    enough = seen.requests >= gates.min_requests
    yield GateResult("requests", float(seen.requests), float(gates.min_requests), enough)
    for name, (value, limit) in measured.items():
        if limit is not None:
            yield GateResult(name, value, limit, value is not None and value <= limit)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
