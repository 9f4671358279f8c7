"""What a person reads who wrote a wrong document."""

import pytest
from pydantic import ValidationError

from isocenter.domain.field_faults import field_faults
from isocenter.domain.training_plan import TrainingPlan
from isocenter.pipelines.acceptance import Acceptance

NETWORK = {"name": "x", "network": "resnet10"}


def said(model: type, document: object) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(document)  # type: ignore[attr-defined]
    return field_faults(caught.value, model)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"name": "x"}, "network is missing"),
        (NETWORK | {"budgt": {}}, "budgt is no field here (did you mean budget?)"),
        (NETWORK | {"budget": {"epocs": 1}}, "budget.epocs is no field here (did you mean epochs?)"),
        (NETWORK | {"budget": {"epochs": "ten"}}, "budget.epochs must be a valid integer, not 'ten'"),
        (NETWORK | {"seed": -1}, "seed must be greater than or equal to 0, not -1"),
        (
            NETWORK | {"optimizer": {"name": "lion"}},
            "optimizer.name must be 'adam', 'adamw' or 'sgd', not 'lion'",
        ),
        (
            {"seed": 1.5},
            "name is missing; network is missing; seed must be a valid integer,"
            " got a number with a fractional part, not 1.5",
        ),
        ([], "the whole must be a mapping of fields, not a list"),
    ],
)
def test_each_fault_names_its_place_and_what_would_be_right(document: object, expected: str) -> None:
    assert said(TrainingPlan, document) == expected


def test_a_field_like_no_other_is_answered_with_those_there_are() -> None:
    fault = said(TrainingPlan, NETWORK | {"budget": {"zzz": 1}})
    assert fault == "budget.zzz is no field here (there are: batch_size, epochs, patience, target_auroc)"


def test_a_rule_of_our_own_is_said_in_its_own_words() -> None:
    assert said(Acceptance, {"rules": [{"metric": "auroc"}]}) == "rules.0: a rule needs either min or max"


def test_a_consequence_of_another_fault_is_not_repeated() -> None:
    assert said(Acceptance, {"rules": [{"metric": "f1", "min": 0.9}]}).startswith("rules.0.metric must be")


def test_long_lists_and_long_values_are_cut() -> None:
    fault = said(TrainingPlan, NETWORK | {f"zzz{number}": 1 for number in range(9)} | {"seed": "9" * 99})
    assert fault.endswith("; and 5 more") and "9" * 40 not in fault
