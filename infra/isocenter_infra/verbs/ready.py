"""An emulated cloud has no state bucket before its first use: it is made on the way."""

from isocenter_infra.change.bootstrap import bootstrap
from isocenter_infra.change.intent import Intent
from isocenter_infra.terraform.workspace import UNSAVED_STATE
from isocenter_infra.verbs import screen
from isocenter_infra.verbs.progress import progress


def ready_emulator(intent: Intent, *, quiet: bool) -> None:
    """Where ``intent`` is emulated, make the emulator's state bucket if it isn't there."""
    if intent.emulate:
        with progress("Making the emulator's state bucket", quiet=quiet) as listen:
            is_new = bootstrap(intent, screen.notice, listen)
        if is_new:
            # What an emulator held that has ended is gone; a state of it is worth nothing.
            (intent.folder / UNSAVED_STATE).unlink(missing_ok=True)
