"""What a plan would do, in a few words a resource."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from isocenter_infra.terraform.argument_changes import ArgumentChange, argument_changes


class Action(StrEnum):
    """What happens to a resource; in the order of how much it wants a look."""

    DESTROY = "destroy"
    REPLACE = "replace"
    UPDATE = "update"
    CREATE = "create"


class ByHand(StrEnum):
    """What somebody did to a resource past Terraform; in the order of how much it wants a look."""

    GONE = "gone"
    CHANGED = "changed by hand"


_ACTIONS: Mapping[tuple[str, ...], Action] = {
    ("create",): Action.CREATE,
    ("update",): Action.UPDATE,
    ("delete",): Action.DESTROY,
    ("delete", "create"): Action.REPLACE,
    ("create", "delete"): Action.REPLACE,
}


# Why Terraform replaces what no argument of it asks for: its `action_reason`, in our words.
_REASONS = {"replace_because_tainted": "half made by an interrupted apply"}
_BY_HAND: Mapping[tuple[str, ...], ByHand] = {("delete",): ByHand.GONE, ("update",): ByHand.CHANGED}


@dataclass(frozen=True)
class Change:
    """One resource that would change, or was changed by hand.

    Args:
        action: what happens, or happened, to it.
        address: in Terraform's words.
        arguments: what differs, where it is neither new nor gone.
        reason: why, where no argument says it.
    """

    action: Action | ByHand
    address: str
    arguments: tuple[ArgumentChange, ...] = ()
    reason: str = ""


def summarise(plan: Mapping[str, Any]) -> tuple[Change, ...]:
    """What would change, by what ``terraform show -json`` printed of a plan; the gravest first."""
    return _sorted(_changes(plan, "resource_changes", _ACTIONS), list(Action))


def summarise_drift(plan: Mapping[str, Any]) -> tuple[Change, ...]:
    """What was changed by hand and the plan would put back; what is gone first.

    A provider also reports arguments that the cloud computes or fills in after an apply: they are no drift,
    because no apply touches them.
    """
    put_back = {change.address: _names(change) for change in summarise(plan)}
    found = []
    for change in _changes(plan, "resource_drift", _BY_HAND):
        names = put_back.get(change.address, set())
        arguments = tuple(each for each in change.arguments if _name(each) in names)
        if arguments or (change.action is ByHand.GONE and change.address in put_back):
            found.append(replace(change, arguments=arguments))
    return _sorted(found, list(ByHand))


def count(changes: Sequence[Change]) -> dict[str, int]:
    """How many of each action."""
    found = Counter(change.action for change in changes)
    return {str(action): found[action] for action in Action}


def _changes(
    plan: Mapping[str, Any], section: str, words: Mapping[tuple[str, ...], Action | ByHand]
) -> Iterator[Change]:
    arguments = _arguments(plan)
    for resource in plan.get(section, ()):
        action = words.get(tuple(resource["change"]["actions"]))
        if action is not None:
            set_here = arguments.get((resource.get("type"), resource.get("name")))
            changes = argument_changes(resource["change"], set_here)
            reason = _REASONS.get(resource.get("action_reason", ""), "")
            yield Change(action, resource["address"], changes, reason)


def _arguments(plan: Mapping[str, Any]) -> dict[tuple[str, str], Collection[str]]:
    """The arguments that the stack sets, by type and name of the resource."""
    resources = plan.get("configuration", {}).get("root_module", {}).get("resources", ())
    return {(each["type"], each["name"]): each.get("expressions", {}).keys() for each in resources}


def _sorted(changes: Iterable[Change], order: Sequence[Action | ByHand]) -> tuple[Change, ...]:
    return tuple(sorted(changes, key=lambda change: (order.index(change.action), change.address)))


def _names(change: Change) -> set[str]:
    return {_name(argument) for argument in change.arguments}


def _name(argument: ArgumentChange) -> str:
    return re.split(r"[.[]", argument.path, maxsplit=1)[0]
