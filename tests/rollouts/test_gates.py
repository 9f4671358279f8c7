"""When a gate holds."""

import pytest

from isocenter.domain.rollout import Comparison, Observation
from isocenter.rollouts.gates import Gates, gate_results, gates_from_json, has_too_many_errors

ALL = Gates(error_rate=0.01, p99_s=0.5, abstention_rate=0.1, score_shift=0.05, min_requests=100)
GOOD = Observation(100, 1, 10, 0.5, Comparison(100, 0.05, 3))


def broken(gates: Gates, seen: Observation) -> list[str]:
    return [result.name for result in gate_results(gates, seen) if not result.holds]


def test_bounds_are_inclusive() -> None:
    assert broken(ALL, GOOD) == []


@pytest.mark.parametrize(
    ("seen", "names"),
    [
        (Observation(99, 0, 0, 0.1, Comparison(9, 0.0)), ["requests"]),
        (Observation(100, 2, 0, 0.1, Comparison(9, 0.0)), ["error-rate"]),
        (Observation(100, 0, 0, 0.51, Comparison(9, 0.0)), ["p99"]),
        (Observation(100, 0, 11, 0.1, Comparison(9, 0.0)), ["abstention-rate"]),
        (Observation(100, 0, 0, 0.1, Comparison(9, 0.051)), ["score-shift"]),
        (Observation(100, 0, 0, 0.1, Comparison(0, None)), ["score-shift"]),
        (Observation(), ["requests", "error-rate", "p99", "abstention-rate", "score-shift"]),
    ],
)
def test_what_breaks_them_is_named(seen: Observation, names: list[str]) -> None:
    assert broken(ALL, seen) == names


def test_what_is_not_asked_about_does_not_matter() -> None:
    gates = Gates(error_rate=None, min_requests=1)
    assert broken(gates, Observation(1, 1, 1, 9.0)) == []


@pytest.mark.parametrize(
    ("seen", "too_many"),
    [
        (Observation(4, 4), False),  # an accident
        (Observation(5, 5), True),  # 95 good ones more would still be 5 %
        (Observation(400, 5), True),
        (Observation(600, 5), False),
    ],
)
def test_errors_that_no_later_request_can_make_up_for(seen: Observation, too_many: bool) -> None:
    assert has_too_many_errors(Gates(error_rate=0.01, min_requests=100), seen) is too_many
    assert not has_too_many_errors(Gates(error_rate=None, min_requests=100), seen)


def test_they_are_kept_as_json() -> None:
    assert gates_from_json(ALL.as_json()) == ALL
