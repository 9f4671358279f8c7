"""The 35 controls hold on every cloud, and each setting that makes one true is missed when it goes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from isocenter_infra.parity import CONTROLS, check_parity
from isocenter_infra.parity.check import requirements
from isocenter_infra.parity.requirement import Requirement, values_at

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


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_setting_that_goes_is_missed(stack_of: Callable[..., Document], cloud: str) -> None:
    """Take away, from the first resource that holds it, what a requirement asks for."""
    document = stack_of(cloud)
    unseen = []
    for requirement in requirements(cloud):
        spoiled = _without(document, requirement)
        if spoiled is not None and not check_parity(cloud, spoiled):
            unseen.append(requirement)
    assert not unseen


def _without(document: Document, requirement: Requirement) -> Document | None:
    spoiled = copy.deepcopy(document)
    bodies = requirement.select(spoiled)
    if not bodies or not requirement.setting:
        return None
    for body in bodies.values():
        if list(values_at(body, requirement.setting.split("."))) == [None]:
            return None  # the requirement is that it isn't set
        top = requirement.setting.split(".")[0]
        del body[top]  # type: ignore[attr-defined]
    return spoiled
