"""What a careless or malicious edit could weaken is caught, by parity or by the policy scan."""

import copy
import json
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from infra.mutations import Mutation
from infra.mutations.changing import changed, named, spoil

from isocenter_infra.parity import CONTROLS, check_parity
from isocenter_infra.parity.check import requirements

Document = dict[str, Any]
StackOf = Callable[..., Document]
CLOUDS = ("aws", "azure", "gcp")


def listed(table: str) -> Sequence[Any]:
    """Each mutation of a table in each cloud's list, for pytest."""
    return [
        pytest.param(cloud, mutation, id=f"{cloud}-{named(mutation)}")
        for cloud in CLOUDS
        for mutation in getattr(import_module(f"infra.mutations.{cloud}"), table)
    ]


@pytest.mark.parametrize(("cloud", "mutation"), listed("MUTATIONS"))
def test_parity_sees_each_change(stack_of: StackOf, cloud: str, mutation: Mutation) -> None:
    mutated, count = changed(stack_of(cloud), mutation)
    assert count, "the mutation changes nothing"
    assert mutation.control in {gap.control for gap in check_parity(cloud, mutated)}


@pytest.mark.parametrize(("cloud", "mutation"), listed("LEFT_TO_POLICY"))
def test_what_is_left_to_policy_is_a_change(stack_of: StackOf, cloud: str, mutation: Mutation) -> None:
    document = stack_of(cloud)
    mutated, count = changed(document, mutation)
    assert count
    assert mutated != document
    assert check_parity(cloud, mutated) == ()


@pytest.mark.parametrize("cloud", CLOUDS)
def test_every_control_is_mutated(cloud: str) -> None:
    mutations = import_module(f"infra.mutations.{cloud}").MUTATIONS
    assert {mutation.control for mutation in mutations} == {control.number for control in CONTROLS}


@pytest.mark.parametrize("cloud", CLOUDS)
def test_each_requirement_fails_when_its_setting_is_spoiled(stack_of: StackOf, cloud: str) -> None:
    """On each resource that it is about: a requirement that can't fail is no requirement."""
    document = stack_of(cloud)
    blind = []
    for requirement in requirements(cloud):
        for address in requirement.select(document):
            copied = _copy_of(document, requirement.kind)
            if requirement.setting:
                spoil(requirement.select(copied)[address], requirement)
            else:
                del copied["resource"][requirement.kind][address.removeprefix(f"{requirement.kind}.")]
            found = requirement.select(copied)
            if len(found) >= requirement.least and all(map(requirement.is_met, found.values())):
                blind.append((requirement.control, requirement.setting, address))
    assert blind == []


def _copy_of(document: Document, kind: str) -> Document:
    """A copy as deep as resources of ``kind`` need it."""
    if kind not in document["resource"]:
        return copy.deepcopy(document)
    return document | {"resource": document["resource"] | {kind: copy.deepcopy(document["resource"][kind])}}


@pytest.mark.slow
@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_policy_scan_sees_what_is_left_to_it(
    stack_of: StackOf, tmp_path: Path, policy_scan: Callable[..., dict[str, Any]], cloud: str
) -> None:
    document = stack_of(cloud)
    left: Sequence[Mutation] = import_module(f"infra.mutations.{cloud}").LEFT_TO_POLICY
    paths = [tmp_path / f"{number}" / "cdk.tf.json" for number in range(len(left))]
    for path, mutation in zip(paths, left, strict=True):
        path.parent.mkdir()
        path.write_text(json.dumps(changed(document, mutation)[0]))
    found = policy_scan(*paths)["findings"]
    seen = {each["document"] for each in found if each["state"] == "open"}
    unseen = [named(mutation) for path, mutation in zip(paths, left, strict=True) if str(path) not in seen]
    assert unseen == []
