"""What was changed by hand since the last apply."""

from collections.abc import Callable

from isocenter_infra.change.check import place, synthesize_and_check
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.surroundings import surroundings
from isocenter_infra.terraform.plan_summary import Change, summarise
from isocenter_infra.terraform.workspace import Listener


def find_drift(intent: Intent, notice: Callable[[str], None], listen: Listener) -> tuple[Change, ...]:
    """Resources that differ from what was applied. Nothing is changed.

    Raises:
        IsocenterError: Terraform failed, explained.
    """
    checked = synthesize_and_check(intent, notice)
    around = surroundings(intent, checked.document, notice)
    place(around.document, around.workspace.folder)
    around.workspace.init()
    file = (intent.folder / "drift.tfplan").absolute()
    try:
        around.workspace.plan(file, listen, refresh_only=True)
        return summarise(around.workspace.show(file), drift=True)
    finally:
        file.unlink(missing_ok=True)
