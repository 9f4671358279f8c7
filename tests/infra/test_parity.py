"""The 35 controls hold on every cloud, and each setting that makes one true is missed when it goes."""

from collections.abc import Callable
from typing import Any

import pytest

from isocenter_infra.parity import CONTROLS, check_parity
from isocenter_infra.parity.check import requirements

Document = dict[str, Any]
CLOUDS = ("aws", "azure", "gcp")
CASES = [(cloud, control.number) for cloud in CLOUDS for control in CONTROLS]


@pytest.mark.parametrize(("cloud", "number"), CASES, ids=[f"{cloud}-{number}" for cloud, number in CASES])
def test_the_control_is_stated_and_true(stack_of: Callable[..., Document], cloud: str, number: int) -> None:
    stated = [each for each in requirements(cloud) if each.control == number]
    assert stated, "no setting says when this control is true"
    assert [gap for gap in check_parity(cloud, stack_of(cloud)) if gap.control == number] == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_stack_without_anything_misses_every_control(cloud: str) -> None:
    gaps = check_parity(cloud, {"resource": {}, "terraform": {"backend": {}}, "output": {}})
    missed = {gap.control for gap in gaps}
    assert missed >= {control.number for control in CONTROLS} - {31}
