"""Filling a card: facts from the registry, statements that follow from them, and what a person wrote."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from isocenter.cards.fact_finding import find_facts
from isocenter.cards.generated import generated_statements
from isocenter.cards.model_card import ModelCard
from isocenter.domain.evaluation import EvaluationReport
from isocenter.domain.field_faults import field_faults
from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError

if TYPE_CHECKING:
    from isocenter.datasets.summary import DatasetSummary

_BY_HAND = ("source_attributes", "mi_claim", "change_control")
_LARGEST_FILE = 1_000_000


def build_card(
    user_fields: Mapping[str, Any],
    evaluation: EvaluationReport,
    dataset_summary: "DatasetSummary",
    plan: TrainingPlan,
    lineage: Mapping[str, Any],
    *,
    name: str = "",
) -> ModelCard:
    """The card of a new model. The same arguments give the same card.

    Args:
        user_fields: statements by section, as from :func:`read_card_file`; empty ones count as not written.
        evaluation: of the model, on test images.
        dataset_summary: of the DatasetVersion that it was made from.
        plan: that it was trained by.
        lineage: JSON-able facts on run, code, environment and seeds.
        name: the model's name.

    Raises:
        InputError: a field of ``user_fields`` is unknown or wrong (the message names it).
    """
    facts = find_facts(evaluation, dataset_summary, plan, lineage)
    written = _merge(generated_statements(facts), check_fields(user_fields))
    return ModelCard.model_validate({**written, "name": name, "facts": facts})


def revise_card(card: ModelCard, user_fields: Mapping[str, Any]) -> ModelCard:
    """``card`` with the statements in ``user_fields`` put in; empty ones leave the old text, facts stay.

    Raises:
        InputError: a field is unknown or wrong (the message names it).
    """
    fields = check_fields(user_fields)
    return ModelCard.model_validate(_merge(card.model_dump(), fields))


def read_card_file(path: Path) -> dict[str, Any]:
    """The statements in a YAML file made from :func:`isocenter.cards.template.template`.

    Raises:
        InputError: no such file, not YAML, or a field is unknown or wrong (the message names it).
    """
    import yaml

    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"The card file {path} is over {_LARGEST_FILE} bytes.")
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The card file {path} can't be read: {error}.") from error
    except yaml.YAMLError as error:
        raise InputError(f"The card file {path} is no YAML: {error}") from error
    return check_fields({} if value is None else value)


def check_fields(value: Any) -> dict[str, Any]:
    """The statements in ``value`` that say something, nested by section.

    Raises:
        InputError: not a mapping, or a field is unknown or wrong (the message names it).
    """
    hint = "`isocenter model card --template` prints all fields."
    if not isinstance(value, Mapping):
        raise InputError("A card file is a mapping of sections.", hint=hint)
    unknown = [str(key) for key in value if key not in _BY_HAND]
    if unknown:
        raise InputError(f"A card file has no section {unknown[0]!r}.", hint=hint)
    said = _without_empty(value)
    try:
        ModelCard.model_validate(said)
    except ValidationError as error:
        raise InputError(f"The card is wrong: {field_faults(error, ModelCard)}.", hint=hint) from error
    return said


def _without_empty(value: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for key, item in value.items():
        small = _without_empty(item) if isinstance(item, Mapping) else item
        if small not in (None, "", {}):
            kept[str(key)] = small
    return kept


def _merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, item in above.items():
        old = merged.get(key)
        merged[key] = _merge(old, item) if isinstance(old, Mapping) and isinstance(item, Mapping) else item
    return merged
