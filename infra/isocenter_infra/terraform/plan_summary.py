"""What a plan would do, in a few words a resource."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    """What happens to a resource; in the order of how much it wants a look."""

    DESTROY = "destroy"
    REPLACE = "replace"
    UPDATE = "update"
    CREATE = "create"


_ACTIONS: Mapping[tuple[str, ...], Action] = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DESTROY,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
}


@dataclass(frozen=True)
class Change:
    """One resource that would change.

    Args:
        action: what happens to it.
        address: in Terraform's words.
        arguments: what differs, where it is updated or replaced; never values.
    """

    action: Action
    address: str
    arguments: tuple[str, ...] = ()


def summarise(plan: Mapping[str, Any], *, drift: bool = False) -> tuple[Change, ...]:
    """The changes in what ``terraform show -json`` printed of a plan, the gravest first.

    Args:
        plan: the plan.
        drift: what was changed by hand, instead of what would be changed.
    """
    changes = []
    for resource in plan.get("resource_drift" if drift else "resource_changes", ()):
        action = _ACTIONS.get(tuple(resource["change"]["actions"]))
        if action is not None:
            changes.append(Change(action, resource["address"], _differing(resource["change"])))
    order = list(Action)
    return tuple(sorted(changes, key=lambda change: (order.index(change.action), change.address)))


def count(changes: Sequence[Change]) -> dict[str, int]:
    """How many of each action."""
    found = Counter(change.action for change in changes)
    return {str(action): found[action] for action in Action}


def _differing(change: Mapping[str, Any]) -> tuple[str, ...]:
    before, after = change.get("before") or {}, change.get("after") or {}
    if not before or not after:
        return ()
    unknown = change.get("after_unknown") or {}
    return tuple(
        sorted(
            name
            for name in {*before, *after}
            if before.get(name) != after.get(name) and not unknown.get(name)
        )
    )
