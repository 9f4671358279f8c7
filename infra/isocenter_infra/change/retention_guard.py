"""Retention is never shortened: not by a plan's update, and not by its replacement."""

import math
from collections.abc import Iterator, Mapping
from itertools import zip_longest
from typing import Any

from isocenter.errors import PolicyError

# Arguments that say how long something must stay, whatever their unit: old and new are of one argument.
_PERIODS = frozenset(
    {
        "immutability_period_in_days",
        "immutability_period_since_creation_in_days",
        "min_retention_days",
        "period_since_creation_in_days",
        "retention_days",
        "retention_in_days",
        "retention_period",
        "total_retention_in_days",
    }
)
# Where 0 days are for ever.
_ENDLESS = frozenset({"retention_in_days"})
_LOCKED = frozenset({"is_locked", "locked"})
_YEAR_DAYS = 365.25
# How hard an object lock's mode is to lift.
_MODES = {"GOVERNANCE": 1, "COMPLIANCE": 2}
# They are nothing but a retention: without them, what they held can go.
_KINDS = frozenset(
    {
        "aws_backup_vault_lock_configuration",
        "aws_s3_bucket_object_lock_configuration",
        "azurerm_storage_container_immutability_policy",
    }
)
_MOST_NAMED = 5


def refuse_shorter_retention(plan: Mapping[str, Any]) -> None:
    """Refuse a plan that would keep audit logs or data shorter, or unlock them.

    How long overwritten objects can be recovered (``retention.noncurrent_days``) is no such promise.

    Args:
        plan: as ``terraform show -json`` prints it; its old values are those in the cloud.

    Raises:
        PolicyError: names resource, argument, old and new.
    """
    found = [sentence for resource in plan.get("resource_changes", ()) for sentence in _shortened(resource)]
    if not found:
        return
    more = f"; and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
    raise PolicyError(
        f"The plan would shorten what is locked or kept: {'; '.join(found[:_MOST_NAMED])}{more}.",
        hint="It only grows. Set retention.audit_years in the settings file to what was deployed, or more;"
        " where somebody made it longer by hand in the cloud, to that. Nothing was changed.",
    )


def _shortened(resource: Mapping[str, Any]) -> Iterator[str]:
    change = resource["change"]
    is_removed = change["actions"] == ["delete"]
    if not change.get("before") or (is_removed and resource.get("type") not in _KINDS):
        # What is destroyed with all it holds is guarded by its protection.
        return
    new = dict(_kept(change.get("after") or {}))
    for path, (old_length, old_words) in _kept(_without(change["before"], change.get("after_unknown"))):
        length, words = new.get(path, (0, "none"))
        if length < old_length:
            yield f"{resource['address']}: {path} {old_words} → {words}"


def _without(value: Any, unknown: Any) -> Any:
    """``value`` less what only the apply will tell: the cloud chooses that, and not the stack."""
    if unknown is True:
        return None
    if isinstance(value, Mapping) and isinstance(unknown, Mapping):
        return {name: _without(part, unknown.get(name)) for name, part in value.items()}
    if isinstance(value, list) and isinstance(unknown, list):
        return [_without(part, mark) for part, mark in zip_longest(value, unknown[: len(value)])]
    return value


def _kept(value: Any, path: str = "") -> Iterator[tuple[str, tuple[float, str]]]:
    """The retentions in ``value``: where, how long, and in words."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _kept(item, f"{path}[{index}]")
    if not isinstance(value, Mapping):
        return
    for name, part in value.items():
        within = f"{path}.{name}" if path else name
        if name in _PERIODS and part is not None:
            yield within, _period(name, part)
        elif name in _LOCKED and isinstance(part, bool):
            yield within, (float(part), "true" if part else "false")
        elif name == "default_retention" and isinstance(part, list):
            yield from (pair for block in part for pair in _default_retention(within, block))
        elif name == "retention_policy" and isinstance(part, list):
            yield from (pair for block in part for pair in _policy(within, block))
        else:
            yield from _kept(part, within)


def _period(name: str, value: Any) -> tuple[float, str]:
    if name in _ENDLESS and not float(value):
        return math.inf, "for ever"
    return float(value), str(value)


def _default_retention(path: str, block: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, str]]]:
    """An object lock's, in days or in years, and in a mode that nobody can lift or that some can."""
    days, years = block.get("days") or 0, block.get("years") or 0
    yield path, (days or math.ceil(years * _YEAR_DAYS), f"{years} years" if years else f"{days} days")
    mode = str(block.get("mode"))
    yield f"{path}.mode", (_MODES.get(mode, 0), mode)


def _policy(path: str, block: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, str]]]:
    """A bucket's, or a flow log's: 0 days are for ever."""
    if isinstance(block.get("days"), int):
        yield f"{path}.days", _period("retention_in_days", block["days"])
    yield from _kept({name: part for name, part in block.items() if name != "days"}, path)
