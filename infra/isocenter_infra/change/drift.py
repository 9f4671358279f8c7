"""What was changed by hand since the last apply."""

from collections.abc import Callable

from isocenter_infra.change.check import place, synthesize_and_check
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.plan import look
from isocenter_infra.change.surroundings import surroundings
from isocenter_infra.terraform.plan_summary import Change, summarise_drift
from isocenter_infra.terraform.workspace import Listener


def find_drift(intent: Intent, notice: Callable[[str], None], listen: Listener) -> tuple[Change, ...]:
    """Resources that were changed by hand in something that the stack sets. Nothing is changed.

    What a cloud computes, or fills in after an apply, is no drift: only what the next apply would put back.

    Raises:
        IsocenterError: Terraform failed, explained.
    """
    checked = synthesize_and_check(intent, notice)
    around = surroundings(intent, checked.document, notice)
    place(around.document, around.workspace.folder)
    around.workspace.init()
    file = (intent.folder / "drift.tfplan").absolute()
    try:
        look(around.document, around.workspace, notice, file, listen)
        return summarise_drift(around.workspace.show(file))
    finally:
        file.unlink(missing_ok=True)
