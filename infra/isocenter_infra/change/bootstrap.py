"""The place of Terraform's state: made once with its state beside it, which then moves there.

A bucket in a cloud, a namespace on-premises.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from isocenter.errors import EnvironmentFaultError
from isocenter_infra.change.check import place, synthesize_and_check
from isocenter_infra.change.intent import STATE, Intent
from isocenter_infra.change.plan import make_plan
from isocenter_infra.change.surroundings import Surroundings, surroundings
from isocenter_infra.synthesis import synthesize
from isocenter_infra.terraform.workspace import Listener

_LOCAL_STATE = "terraform.tfstate"
Notice = Callable[[str], None]


def bootstrap(intent: Intent, notice: Notice, listen: Listener) -> bool:
    """Make the state's bucket; tell whether there was anything to do.

    Killed at any moment, the same call continues: a state that lies beside the stack is taken up, applied to
    the end and moved.

    Raises:
        PolicyError: a check failed.
        IsocenterError: Terraform failed, explained.
    """
    here = replace(intent, stack=STATE, remote_state=False)
    there = replace(intent, stack=STATE, remote_state=True)
    if not (here.folder / _LOCAL_STATE).exists() and _is_there(there, notice):
        return False
    checked = synthesize_and_check(here, notice)
    checked.require()
    around = surroundings(here, checked.document, notice)
    saved = make_plan(
        here, checked, around.document, around.left_out, around.workspace, notice, listen, to_apply=True
    )
    if not saved.is_empty:
        around.workspace.apply(saved.file.absolute(), listen)
    notice("Moving the state into its bucket.")
    _open(there, notice, migrate=True)
    _remove_local(here.folder)
    return True


def _is_there(intent: Intent, notice: Notice) -> bool:
    try:
        around = _open(intent, notice, migrate=False)
        return not around.workspace.is_empty()
    except EnvironmentFaultError as error:
        if "state isn't there" in error.message:
            return False
        raise


def _open(intent: Intent, notice: Notice, *, migrate: bool) -> Surroundings:
    """Open the state in its bucket. Nothing is changed by it, so nothing needs to be checked."""
    document = synthesize(intent.deployment, notice, stack=STATE).document
    around = surroundings(intent, document, notice)
    place(around.document, around.workspace.folder)
    around.workspace.init(migrate=migrate)
    return around


def _remove_local(folder: Path) -> None:
    """The state is in the bucket now; a copy here would be taken for an unfinished bootstrap."""
    for path in folder.glob(f"{_LOCAL_STATE}*"):
        path.unlink()
