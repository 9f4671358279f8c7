"""What of a plan the training program finds wrong before there is any data (``plan_check``)."""

import io
import json
from typing import Any

import pytest

from isocenter_training.plan_check import NOT_HERE, main

PLAN: dict[str, Any] = {
    "name": "tiny",
    "image_size": 32,
    "network": {"name": "resnet10", "arguments": {"widen_factor": 0.25}},
}


def check(monkeypatch: pytest.MonkeyPatch, plan: dict[str, Any]) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(plan)))
    return main()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"network": {"name": "resnet10", "arguments": {"depth": 3}}}, "network.arguments"),
        ({"network": {"name": "resnet10", "arguments": {"widen_factor": "wide"}}}, "network.arguments"),
        (
            {"network": {"name": "resnet10", "arguments": {"pretrained": True}}},
            "network.arguments.pretrained",
        ),
        ({"augmentation": ["RandNothing"]}, "augmentation.0.name 'RandNothing'"),
        ({"augmentation": [{"name": "gamma", "arguments": {"power": 2}}]}, "augmentation.0.arguments"),
        ({"loss": {"name": "focal", "arguments": {"softness": 2}}}, "loss.arguments"),
        ({"loss": {"name": "focal", "arguments": {"gamma": "much"}}}, "loss.arguments make focal fail"),
        ({"loss": {"name": "cross_entropy", "arguments": {"positive_weight": -1}}}, "loss.arguments"),
        ({"trainer": "pathlib:Path"}, "trainer 'pathlib:Path' is no subclass"),
        ({"trainer": "isocenter_training.trainer:Nobody"}, "can't be imported"),
        ({"budget": {"epochs": 0}}, "budget.epochs"),
        ({"budgets": {}}, "budgets"),
    ],
)
def test_a_plan_that_cant_be_built_is_refused_by_field(
    changes: dict[str, Any], named: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(monkeypatch, PLAN | changes) == 3
    assert named in capsys.readouterr().err.splitlines()[-1]


def test_a_plan_that_can_be_built_passes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    augmentation = ["affine", {"name": "RandGaussianNoise", "arguments": {"prob": 0.5}}]
    assert check(monkeypatch, PLAN | {"augmentation": augmentation, "loss": "focal"}) == 0
    assert capsys.readouterr().err == ""


def test_a_trainer_that_is_not_installed_here_is_not_judged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(monkeypatch, PLAN | {"trainer": "hospital_only.mine:Mine"}) == NOT_HERE
    assert "hospital_only.mine:Mine" in capsys.readouterr().err
