"""Save the state that an apply could not save, while the machine that holds it is still there."""

import os
import time
from collections.abc import Callable

from isocenter.errors import EnvironmentFaultError
from isocenter_infra.change.intent import Intent
from isocenter_infra.emulator.aws import CREDENTIALS
from isocenter_infra.terraform.binary import environment, find_terraform
from isocenter_infra.terraform.workspace import UNSAVED_STATE, Workspace

Notice = Callable[[str], None]
_PAUSE_S = 15.0


def where_it_lies(intent: Intent) -> Workspace:
    """The folder of the apply, as it was left: opened by it, so nothing is synthesized or installed."""
    environ = environment() | (CREDENTIALS if intent.emulate else {})
    return Workspace(intent.folder, find_terraform(os.environ), environ)


def save_patiently(workspace: Workspace, notice: Notice, *, wait_s: float, pause_s: float = _PAUSE_S) -> bool:
    """Save the unsaved state in ``workspace``; tell whether there was one.

    Args:
        workspace: where the apply ran.
        notice: is told of the first failure.
        wait_s: so long it is tried again where the state's place can't be reached.
        pause_s: between two tries.

    Raises:
        IntegrityError: the state has changed since; the file stays.
        EnvironmentFaultError: the place can't be reached, to the end; the file stays.
    """
    end = time.monotonic() + wait_s
    told = False
    while True:
        try:
            return workspace.save_unsaved()
        except EnvironmentFaultError as fault:
            if time.monotonic() + pause_s > end:
                raise EnvironmentFaultError(
                    f"The state that the apply left could not be saved: {fault.message}",
                    hint=f"It is the only record of what that apply made. Keep {UNSAVED_STATE} in the stack's"
                    " folder, and make save-state again; it holds secrets: give it to nobody.",
                ) from fault
            if not told:
                notice(f"{fault.message} Trying again for {wait_s:.0f} s.")
                told = True
            time.sleep(pause_s)
