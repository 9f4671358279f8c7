"""Schedules, as functions of the used part of the budget."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.domain.training_plan import Schedule, TrainingPlan, parse_plan
from isocenter_training.optimisation import build_optimizer, learning_rate


def plan(name: str, warmup: float, optimizer: str = "adamw") -> TrainingPlan:
    optimizing = {"name": optimizer, "learning_rate": 0.01, "weight_decay": 0.1}
    schedule = {"name": name, "warmup_fraction": warmup}
    return parse_plan({"name": "x", "network": "resnet10", "optimizer": optimizing, "schedule": schedule})


@settings(max_examples=50, deadline=None)
@given(
    name=st.sampled_from(["constant", "cosine", "one_cycle"]),
    warmup=st.floats(0, 0.9),
    used=st.floats(0, 1),
)
def test_rate_rises_to_its_peak_then_never_again(name: str, warmup: float, used: float) -> None:
    chosen = plan(name, warmup)
    rate, later = learning_rate(chosen, used), learning_rate(chosen, min(1.0, used + 0.01))
    assert 0 <= rate <= 0.01 * (1 + 1e-9)
    if used >= warmup:
        assert later <= rate + 1e-12
    elif used + 0.01 < warmup:
        assert later >= rate


@pytest.mark.parametrize(("name", "end"), [("constant", 0.01), ("cosine", 0.0), ("one_cycle", 1e-6)])
def test_rate_starts_small_peaks_after_the_warmup_and_ends_as_told(name: str, end: float) -> None:
    chosen = plan(name, 0.2)
    assert learning_rate(chosen, 0.0) == pytest.approx(0.01 / 25)
    assert learning_rate(chosen, 0.2) == pytest.approx(0.01)
    assert learning_rate(chosen, 1.0) == pytest.approx(end)


def test_schedule_names_of_the_plan_all_work() -> None:
    for name in Schedule.model_fields["name"].annotation.__args__:  # type: ignore[union-attr]
        assert learning_rate(plan(name, 0.0), 0.5) > 0


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_biases_and_normalisation_are_not_decayed(optimizer: str) -> None:
    network = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    for group in build_optimizer(plan("constant", 0.0, optimizer), network).param_groups:
        decayed = group["weight_decay"] > 0
        assert all((parameter.ndim > 1) == decayed for parameter in group["params"])
