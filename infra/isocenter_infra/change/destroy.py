"""The end of a deployment: refused where data, keys or audit logs would go."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from isocenter.errors import PolicyError
from isocenter_infra.change.apply import plan_change
from isocenter_infra.change.check import synthesize_and_check
from isocenter_infra.change.intent import Intent
from isocenter_infra.change.plan import make_plan
from isocenter_infra.terraform.workspace import Listener

Notice = Callable[[str], None]


def refuse_without_force(document: Mapping[str, Any]) -> None:
    """Refuse the end of what is protected.

    Args:
        document: the stack's Terraform JSON.

    Raises:
        PolicyError: names how many of which resources are protected.
    """
    found = Counter(_protected(document))
    if found:
        kinds = ", ".join(f"{number} {kind}" for kind, number in sorted(found.items()))
        raise PolicyError(
            f"Destroying the deployment would destroy data, keys or audit logs: {kinds}.",
            hint="If that is really meant: make destroy CLOUD=... FORCE=1 REASON='why'; it is audited.",
        )


def _protected(document: Mapping[str, Any]) -> Iterator[str]:
    for kind, named in document.get("resource", {}).items():
        for body in named.values():
            if body.get("lifecycle", {}).get("prevent_destroy"):
                yield kind


def destroy_by_force(intent: Intent, notice: Notice, listen: Listener) -> None:
    """Lift the protection, then destroy everything and remove the descriptor.

    What a cloud keeps locked (audit logs within their retention) it keeps: the run then ends with its error.

    Raises:
        IsocenterError: Terraform failed, explained.
    """
    unprotected = replace(intent, protect=False)
    checked = synthesize_and_check(unprotected, notice)
    # Parity and policy can't pass without protection; they were not asked to.
    lifted = replace(checked, parity=(), policy=replace(checked.policy, passed=True, findings=()))
    notice("Lifting the protection.")
    saved, around = plan_change(unprotected, lifted, notice, listen, to_apply=True)
    if not saved.is_empty:
        around.workspace.apply(saved.file.absolute(), listen)
    notice("Destroying.")
    end = make_plan(
        unprotected,
        lifted,
        around.document,
        around.left_out,
        around.workspace,
        notice,
        listen,
        to_apply=True,
        destroy=True,
    )
    around.workspace.apply(end.file.absolute(), listen)
    intent.descriptor.unlink(missing_ok=True)


def destroy_emulated(intent: Intent, notice: Notice) -> None:
    """Empty the emulator, which holds all of it in memory, and remove the descriptor.

    Raises:
        EnvironmentFaultError: the emulator answers, but can't be emptied.
    """
    from isocenter.home import open_home
    from isocenter_infra.emulator.server import reset_server, running_server

    endpoint = running_server(open_home())
    if endpoint:
        reset_server(endpoint)
    else:
        notice("The emulator doesn't run any more: what it held went with it. Removing the descriptor.")
    intent.descriptor.unlink(missing_ok=True)
