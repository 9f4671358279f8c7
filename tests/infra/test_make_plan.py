"""Plans by the real Terraform, of a stack that needs no cloud.

After an apply that was interrupted a plan tells, and a deploy goes on; a shorter retention is refused.
"""

import fcntl
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from infra_examples import example

from isocenter.errors import EnvironmentFaultError, JobFailedError, PolicyError
from isocenter_infra.change.check import Checked
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.plan import SavedPlan, load_plan, make_plan
from isocenter_infra.change.policy_scan import PolicyResult
from isocenter_infra.terraform.binary import environment, find_terraform
from isocenter_infra.terraform.workspace import Workspace

Document = dict[str, Any]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    if not (shutil.which("terraform") or shutil.which("tofu")):
        pytest.skip("LACKS: terraform or tofu, for an apply that is interrupted")
    folder = tmp_path / "stack"
    folder.mkdir()
    return Workspace(folder, find_terraform(os.environ), environment())


def stack(*, protect: bool, value: str = "x") -> Document:
    """Two keys and a note, whose making ends only where a file ``way`` lies."""
    ends = [{"local-exec": {"command": "test -e way"}}]
    keys = {
        "for_each": {"a": "1", "b": "2"},
        "input": "${each.key}",
        "lifecycle": {"prevent_destroy": protect},
        "provisioner": ends,
    }
    note = {"input": value, "provisioner": ends}
    return {"resource": {"terraform_data": {"keys": keys, "note": note}}}


def interrupted(workspace: Workspace, document: Document) -> bytes:
    (workspace.folder / "cdk.tf.json").write_text(json.dumps(document))
    file = workspace.folder / "first.tfplan"
    workspace.init()
    workspace.plan(file, lambda message: None)
    with pytest.raises(JobFailedError):
        workspace.apply(file, lambda message: None)
    return (workspace.folder / "terraform.tfstate").read_bytes()


def an_intent(workspace: Workspace, *, protect: bool = True) -> Intent:
    return Intent(example("aws"), workspace.folder, workspace.folder / "out", protect=protect)


def plan(
    workspace: Workspace, document: Document, said: list[str], *, to_apply: bool, protect: bool = True
) -> SavedPlan:
    passed = PolicyResult(passed=True, checks=1, findings=())
    checked = Checked(document, workspace.folder / "cdk.tf.json", (), (), passed)
    return make_plan(
        an_intent(workspace, protect=protect),
        checked,
        document,
        {},
        workspace,
        said.append,
        lambda message: None,
        to_apply=to_apply,
    )


def test_a_plan_tells_what_is_half_made_and_keeps_the_state(workspace: Workspace) -> None:
    document = stack(protect=True)
    state = interrupted(workspace, document)
    said: list[str] = []
    with pytest.raises(PolicyError) as caught:
        plan(workspace, document, said, to_apply=False)
    assert said == [
        "The last apply was interrupted: make deploy goes on with 3 resources that it left half made."
    ]
    assert "left 2 protected resources half made" in caught.value.message
    assert 'terraform_data.keys["a"]' in caught.value.message
    assert "make deploy keeps them" in caught.value.hint
    assert (workspace.folder / "terraform.tfstate").read_bytes() == state


def test_a_deploy_keeps_the_protected_and_makes_the_rest_anew(workspace: Workspace) -> None:
    document = stack(protect=True)
    interrupted(workspace, document)
    said: list[str] = []
    saved = plan(workspace, document, said, to_apply=True)
    assert [str(change.action) for change in saved.changes] == ["replace"]
    assert "going on with 2 resources" in said[0]
    (workspace.folder / "way").touch()
    workspace.apply(saved.file, lambda message: None)
    assert plan(workspace, document, [], to_apply=False).is_empty


def test_a_plan_shows_unprotected_ones_as_replacements(workspace: Workspace) -> None:
    document = stack(protect=False)
    interrupted(workspace, document)
    said: list[str] = []
    saved = plan(workspace, document, said, to_apply=False)
    assert saved.record.changes["replace"] == 3
    assert "make deploy goes on with 3 resources" in said[0]


def test_a_protection_that_refuses_for_another_reason_says_so(workspace: Workspace) -> None:
    document = stack(protect=True)
    (workspace.folder / "way").touch()
    made = plan(workspace, document, [], to_apply=True)
    workspace.apply(made.file, lambda message: None)
    document["resource"]["terraform_data"]["keys"]["triggers_replace"] = "new"
    with pytest.raises(PolicyError, match="The change would destroy data"):
        plan(workspace, document, [], to_apply=False)


def test_a_plan_tells_of_an_unsaved_state_and_leaves_it(workspace: Workspace) -> None:
    document = stack(protect=True)
    (workspace.folder / "way").touch()
    made = plan(workspace, document, [], to_apply=True)
    workspace.apply(made.file, lambda message: None)
    (workspace.folder / "terraform.tfstate").rename(workspace.folder / "errored.tfstate")
    said: list[str] = []
    plan(workspace, document, said, to_apply=False)
    assert "could not save its state: make deploy saves it first" in said[0]
    assert (workspace.folder / "errored.tfstate").exists()
    assert plan(workspace, document, said, to_apply=True).is_empty
    assert "it is saved now" in said[1]


def test_a_plan_takes_no_lock_and_an_apply_does(workspace: Workspace) -> None:
    """A role that can only read can't take one."""
    document = stack(protect=True)
    (workspace.folder / "way").touch()
    saved = plan(workspace, document, [], to_apply=True)
    workspace.apply(saved.file, lambda message: None)
    with (workspace.folder / "terraform.tfstate").open("r+b") as state:
        # As Terraform locks a state that lies on this machine.
        fcntl.lockf(state, fcntl.LOCK_EX)
        assert plan(workspace, document, [], to_apply=False).is_empty
        with pytest.raises(EnvironmentFaultError, match="the state is locked"):
            plan(workspace, document, [], to_apply=True)


def kept_for(days: int) -> Document:
    return {"resource": {"terraform_data": {"log": {"input": {"retention_in_days": days}}}}}


@pytest.mark.parametrize("to_apply", [False, True])
def test_a_shorter_retention_is_not_planned(workspace: Workspace, to_apply: bool) -> None:
    workspace.apply(plan(workspace, kept_for(2922), [], to_apply=True).file, lambda message: None)
    with pytest.raises(PolicyError, match=r"terraform_data.log: input.retention_in_days 2922 → 2557\."):
        plan(workspace, kept_for(2557), [], to_apply=to_apply)
    longer = plan(workspace, kept_for(3288), [], to_apply=to_apply)
    assert longer.record.changes["update"] == 1
    # A forced destroy lifts the protection first, with whatever the settings say by then.
    assert plan(workspace, kept_for(2557), [], to_apply=True, protect=False).record.changes["update"] == 1


def test_a_plan_with_a_shorter_retention_is_not_taken_up_either(workspace: Workspace) -> None:
    """Somebody made it without our check, and has its digest approved."""
    workspace.apply(plan(workspace, kept_for(2922), [], to_apply=True).file, lambda message: None)
    saved = plan(workspace, kept_for(2557), [], to_apply=False, protect=False)
    with pytest.raises(PolicyError, match="2922 → 2557"):
        load_plan(saved.folder, target=saved.record.target, digest=saved.record.digest, show=workspace.show)
