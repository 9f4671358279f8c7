"""Which versions may stand behind an endpoint: a rule for those that a clinic relies on."""

from isocenter.cards.completeness import missing_fields
from isocenter.domain.model import Alias, ModelVersion
from isocenter.domain.rollout import Rollout
from isocenter.errors import IntegrityError, PolicyError
from isocenter.registry.models import ModelRegistry

CLINICAL = (Alias.CHAMPION,)
"""Aliases whose endpoints answer about patients."""
_ALL = 100


def check_rollout(registry: ModelRegistry, rollout: Rollout, alias: Alias | None) -> None:
    """Raise unless each version that ``rollout`` has answer may, at an endpoint that stands for ``alias``.

    Raises:
        PolicyError: one may not, see :func:`check_may_answer`.
        IntegrityError: the registry holds another bundle under its number.
    """
    if alias is None or alias not in CLINICAL:
        return
    for variant in rollout.answering:
        version = registry.get(variant.reference)
        if version.artifact_digest != variant.digest:
            raise IntegrityError(f"{variant.reference} is not the version that was deployed.")
        check_may_answer(registry, version, alias, variant.weight)


def check_may_answer(registry: ModelRegistry, version: ModelVersion, alias: Alias, weight: int) -> None:
    """Raise unless ``version`` may answer at the endpoint of the clinical ``alias``.

    A part of the traffic takes an Approval as challenger or as that alias; all of it, as that alias. A shadow
    answers nobody and is not asked about.

    Args:
        registry: knows approvals and cards.
        version: what is to answer.
        alias: what the endpoint stands for.
        weight: percent of the requests.

    Raises:
        PolicyError: there is no such Approval, or the card misses statements.
    """
    enough = (alias,) if weight == _ALL else (alias, Alias.CHALLENGER)
    given = [each for each in registry.approvals(version.name) if each.number == version.number]
    if not any(approval.alias in enough for approval in given):
        raise PolicyError(
            f"{version.reference} has no Approval as {' or '.join(enough)}; the endpoint answers as {alias}.",
            hint=f'isocenter model promote {version.reference} --to {enough[-1]} --reason "..."',
        )
    missing = missing_fields(registry.card(version))
    if missing:
        names = "\n".join(f"  {name}" for name in missing)
        raise PolicyError(
            f"The card of {version.reference} misses {len(missing)} required fields:\n{names}",
            hint=f"isocenter model card {version.reference} --update card.yaml",
        )
