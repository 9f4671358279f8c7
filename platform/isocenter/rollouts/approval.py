"""Which versions may stand behind an endpoint: a rule for those that a clinic relies on."""

from isocenter.cards.completeness import missing_fields
from isocenter.domain.model import Alias, ModelVersion
from isocenter.errors import PolicyError
from isocenter.registry.models import ModelRegistry

CLINICAL = (Alias.CHAMPION,)
"""Aliases whose endpoints answer about patients."""
_ALL = 100


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
