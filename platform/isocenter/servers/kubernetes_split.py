"""How many pods each version gets, so that a Service that treats all pods alike splits as asked. Pure."""

from collections.abc import Mapping

from isocenter.errors import InputError

_ALL = 100
_FARTHEST = 2.5
"""Percent that a share may be off."""


def replicas_of(weights: Mapping[str, int], least: int, most: int) -> dict[str, int]:
    """Version -> pods, as few as give the shares best.

    Args:
        weights: version -> percent; they add up to 100.
        least: pods that each version has.
        most: pods that all have together.

    Raises:
        InputError: no such number of pods comes near the shares.
    """
    if len(weights) == 1:
        return dict.fromkeys(weights, least)
    splits = [_nearest(weights, total, least) for total in range(least * len(weights), most + 1)]
    best = min(splits, key=lambda split: (_error(split, weights), sum(split.values())), default={})
    if not best or _error(best, weights) > _FARTHEST:
        shares = ", ".join(f"{name} {weight} %" for name, weight in weights.items())
        raise InputError(
            f"{most} pods can't be split near {shares}: Kubernetes divides the traffic by pods.",
            hint="Ask for another share, or raise most_pods in the target's settings.",
        )
    return best


def shares_of(replicas: Mapping[str, int]) -> dict[str, int]:
    """Version -> percent that so many pods answer."""
    total = sum(replicas.values()) or 1
    return {name: round(_ALL * count / total) for name, count in replicas.items()}


def _nearest(weights: Mapping[str, int], total: int, least: int) -> dict[str, int]:
    """``total`` pods by largest remainder."""
    exact = {name: total * weight / _ALL for name, weight in weights.items()}
    split = {name: max(least, int(share)) for name, share in exact.items()}
    for name in sorted(exact, key=lambda each: split[each] - exact[each]):
        if sum(split.values()) < total:
            split[name] += 1
    return split


def _error(split: Mapping[str, int], weights: Mapping[str, int]) -> float:
    total = sum(split.values())
    return max(abs(_ALL * count / total - weights[name]) for name, count in split.items())
