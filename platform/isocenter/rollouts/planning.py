"""The next rollout of an endpoint, from the step that it is at.

Its id is still that step's, but of the first: :func:`later_than` gives it its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from isocenter.domain.model import Alias
from isocenter.domain.rollout import Rollout, Scaling, Variant
from isocenter.domain.run import RunId, new_run_id
from isocenter.errors import InputError
from isocenter.rollouts.gates import Gates
from isocenter.rollouts.records import Kind, RolloutState, Step

_ALL = 100


@dataclass(frozen=True)
class Wish:
    """What somebody asks of an endpoint beyond the version.

    Args:
        actor: who.
        reason: why.
        canary: percent for the new version; None for all.
        shadow: the new version gets copies only.
        gates: what is watched once it is in force; None for nothing.
        promotes: the new version gets all of the traffic when the gates hold.
        alias: the clinical alias that a new endpoint stands for.
        changes: fields of the Rollout that are to be other than they were: size, scaling, capture, image.
        trial: it is only planned; a refusal is not audited.
    """

    actor: str
    reason: str
    canary: int | None = None
    shadow: bool = False
    gates: Gates | None = None
    promotes: bool = False
    alias: Alias | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    trial: bool = False


def stable_of(step: Step) -> Variant:
    """The version that was there before the new one."""
    return step.rollout.answering[0]


def candidate_of(step: Step) -> Variant | None:
    """The version that gets a part of the traffic or copies; None if one version serves alone."""
    return step.rollout.variants[1] if len(step.rollout.variants) > 1 else None


def first(
    endpoint: str,
    target: str,
    variant: Variant,
    wish: Wish,
    labels: Mapping[str, str],
    scaling: Scaling | None = None,
) -> Rollout:
    """The rollout that makes an endpoint.

    Args:
        endpoint: its name.
        target: where it will be.
        variant: what it is to serve.
        wish: what else is asked of it.
        labels: tags that a service shows.
        scaling: bounds that it has where ``wish`` says none.

    Raises:
        InputError: a canary or a shadow of nothing.
    """
    if wish.canary is not None or wish.shadow:
        raise InputError(
            f"There is no endpoint {endpoint!r} that the version could stand beside.",
            hint="The first version gets all of the traffic: leave --canary and --shadow out.",
        )
    bounds = scaling or Scaling()
    made = Rollout(new_run_id(), endpoint, target, (variant,), labels=dict(labels), scaling=bounds)
    return replace(made, **wish.changes)


def with_new(step: Step, variant: Variant, wish: Wish) -> tuple[Kind, Rollout]:
    """The rollout that puts ``variant`` behind the endpoint: beside the stable version, or in its place.

    Raises:
        InputError: it is the stable version itself.
    """
    stable = stable_of(step)
    if wish.canary is None and not wish.shadow:
        return Kind.DEPLOY, _next(step, (replace(variant, weight=_ALL, shadow=False),), wish.changes)
    if variant.reference == stable.reference:
        raise InputError(f"{variant.reference} is the version that the endpoint serves already.")
    kind = Kind.SHADOW if wish.shadow else Kind.CANARY
    return kind, _next(step, _beside(stable, variant, 0 if wish.shadow else wish.canary or 0), wish.changes)


def with_weight(step: Step, percent: int) -> tuple[Kind, Rollout]:
    """The rollout that gives the newer of two versions ``percent`` of the traffic; 100 promotes it.

    Raises:
        InputError: one version serves alone.
    """
    candidate = candidate_of(step)
    if candidate is None:
        raise InputError(
            f"{stable_of(step).reference} serves {step.rollout.endpoint!r} alone; there is nothing to shift.",
            hint=f"isocenter endpoint deploy {step.rollout.endpoint} MODEL --canary 10",
        )
    if percent == _ALL:
        return Kind.PROMOTE, _next(step, (replace(candidate, weight=_ALL, shadow=False),), {})
    kind = Kind.CANARY if percent else Kind.SHADOW
    return kind, _next(step, _beside(stable_of(step), candidate, percent), {})


def back_to(step: Step) -> RunId | None:
    """What a rollback from a rollout that follows on ``step`` restores: the last one of one version alone."""
    in_force = step.state in (RolloutState.SUCCEEDED, RolloutState.WATCHING)
    return step.rollout.id if in_force and candidate_of(step) is None else step.back_to


def later_than(rollout: Rollout, newest: RunId | None) -> Rollout:
    """``rollout`` under an id of its own that sorts behind ``newest``, also if the clock was set back."""
    made = new_run_id()
    if newest is not None and made <= newest:
        from ulid import ULID

        made = RunId(str(ULID.from_int(int(ULID.from_str(newest)) + 1)))
    return replace(rollout, id=made)


def _beside(stable: Variant, candidate: Variant, percent: int) -> tuple[Variant, ...]:
    return (
        replace(stable, weight=_ALL - percent, shadow=False),
        replace(candidate, weight=percent, shadow=percent == 0),
    )


def _next(step: Step, variants: tuple[Variant, ...], changes: Mapping[str, Any]) -> Rollout:
    return replace(step.rollout, variants=variants, **changes)
