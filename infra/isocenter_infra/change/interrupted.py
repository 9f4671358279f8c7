"""Going on after an apply that was interrupted: its state that wasn't saved, and what it left half made.

Only what will apply a plan writes to the state; what only looks tells what a deploy will do.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from isocenter.errors import PolicyError
from isocenter_infra.terraform.workspace import Workspace

Notice = Callable[[str], None]
_MOST_NAMED = 5


def take_up(document: Mapping[str, Any], workspace: Workspace, notice: Notice) -> bool:
    """Save an unsaved state, and keep protected resources that are half made; tell whether there were any.

    Terraform would replace such resources, and their protection forbids it: the deployment would be stuck.

    Raises:
        IntegrityError: the state has changed since the one that wasn't saved.
    """
    is_saved = workspace.save_unsaved()
    if is_saved:
        notice("The last apply could not save its state: it is saved now.")
    kept = _kept(document, workspace.tainted())
    for address in kept:
        workspace.untaint(address)
    if kept:
        notice(f"The last apply was interrupted: going on with {len(kept)} resources that it left half made.")
    return is_saved or bool(kept)


def tell(document: Mapping[str, Any], workspace: Workspace, notice: Notice) -> tuple[str, ...]:
    """Say what :func:`take_up` would do, and do nothing.

    Returns:
        Addresses of the resources that it would keep: until then Terraform can't plan.
    """
    if workspace.has_unsaved:
        notice(
            "The last apply could not save its state: make deploy saves it first."
            " This plan doesn't know what that apply made."
        )
    half_made = workspace.tainted()
    if half_made:
        notice(
            f"The last apply was interrupted: make deploy goes on with {len(half_made)} resources"
            " that it left half made."
        )
    return _kept(document, half_made)


def cannot_plan(kept: Sequence[str]) -> PolicyError:
    """The error where the protection of ``kept`` kept Terraform from planning."""
    more = f" and {len(kept) - _MOST_NAMED} more" if len(kept) > _MOST_NAMED else ""
    return PolicyError(
        f"The last apply was interrupted and left {len(kept)} protected resources half made, which Terraform"
        f" would replace: {', '.join(kept[:_MOST_NAMED])}{more}. Nothing was planned, nothing was changed.",
        hint="make deploy keeps them and goes on; a workflow's deploy, run again with the plan it had,"
        " keeps them and asks for a new plan.",
    )


def _kept(document: Mapping[str, Any], half_made: Sequence[str]) -> tuple[str, ...]:
    return tuple(address for address in half_made if _is_protected(document, address))


def _is_protected(document: Mapping[str, Any], address: str) -> bool:
    kind, _, name = address.partition("[")[0].partition(".")
    body = document.get("resource", {}).get(kind, {}).get(name, {})
    return bool(body.get("lifecycle", {}).get("prevent_destroy"))
