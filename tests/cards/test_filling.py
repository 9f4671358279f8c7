"""Making a card from what the registry knows and what a person wrote."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from registrations import complete_card, complete_fields

from isocenter.cards import ModelCard, build_card, missing_fields, read_card_file, revise_card, template
from isocenter.cards.completeness import statements
from isocenter.datasets.summary import DatasetSummary
from isocenter.domain.evaluation import EvaluationReport
from isocenter.domain.training_plan import TrainingPlan
from isocenter.errors import InputError


@pytest.fixture
def card(
    evaluation: EvaluationReport, summary: DatasetSummary, plan: TrainingPlan, lineage: dict[str, Any]
) -> ModelCard:
    return build_card({}, evaluation, summary, plan, lineage, name="cxr")


def test_the_registry_fills_in_what_it_knows(card: ModelCard, plan: TrainingPlan) -> None:
    attributes = card.source_attributes
    assert "0.931 (0.902 to 0.957)" in attributes.measures.validity_same_source
    assert "sex F: AUROC 0.940" in attributes.measures.fairness_same_source
    assert "sex not stated: too small to say" in attributes.measures.fairness_same_source
    assert "'pneumonia' at a score of 0.420 or more" in attributes.details.output
    assert "F 210, not stated 190" in attributes.development.demographic_representativeness
    assert "128 x 128" in card.mi_claim.data_and_optimisation.transformations
    assert card.facts.dataset is not None and card.facts.dataset.digest.startswith("sha256:d")
    assert [(s.name, s.positives) for s in card.facts.dataset.splits] == [("train", 90), ("test", 25)]
    assert set(card.facts.dataset.attributes) == {"sex"}
    assert card.facts.plan == plan.model_dump(mode="json")
    assert card.facts.lineage["code"] == {"commit": "0123abc"}


def test_what_only_people_know_stays_missing(card: ModelCard) -> None:
    missing = missing_fields(card)
    assert "source_attributes.purpose.intended_use" in missing
    assert "source_attributes.external_validation.data_source" in missing
    assert "mi_claim.reproducibility.tier" in missing
    assert "source_attributes.measures.validity_same_source" not in missing
    assert not any(name.startswith("change_control") for name in missing)


def test_all_31_source_attributes_of_hti_1_have_a_field() -> None:
    named = [name for name, _, _ in statements(ModelCard()) if name.startswith("source_attributes.")]
    assert len([*named, "source_attributes.details.output_type"]) == 31


def test_the_same_inputs_make_the_same_card(
    card: ModelCard,
    evaluation: EvaluationReport,
    summary: DatasetSummary,
    plan: TrainingPlan,
    lineage: dict[str, Any],
) -> None:
    later = summary.model_copy(update={"created_at": summary.created_at.replace(year=2030)})
    assert build_card({}, evaluation, later, plan, lineage, name="cxr") == card


def test_a_persons_words_take_the_place_of_ours(
    evaluation: EvaluationReport, summary: DatasetSummary, plan: TrainingPlan
) -> None:
    fields = {"source_attributes": {"details": {"output": "  A number.  ", "developer": "Us"}}}
    card = build_card(fields, evaluation, summary, plan, {}, name="cxr")
    assert card.source_attributes.details.output == "A number."
    assert card.source_attributes.details.developer == "Us"


def test_a_card_is_complete_when_all_is_written(
    evaluation: EvaluationReport, summary: DatasetSummary, plan: TrainingPlan
) -> None:
    assert missing_fields(build_card(complete_fields(), evaluation, summary, plan, {}, name="cxr")) == []


@pytest.mark.parametrize("text", ["", "TODO", " tbd. ", "-", "...", "n/a", "Not available", "unknown"])
def test_placeholders_say_nothing(text: str) -> None:
    fields = {"source_attributes": {"purpose": {"intended_use": text}}}
    assert missing_fields(revise_card(complete_card(), fields)) == (
        [] if text == "" else ["source_attributes.purpose.intended_use"]
    )


def test_not_available_is_an_answer_where_the_rule_allows_it() -> None:
    fields = {"source_attributes": {"external_validation": {"data_source": "Not available."}}}
    assert missing_fields(revise_card(complete_card(), fields)) == []


@pytest.mark.parametrize(
    "text", ["Not available to children under 5.", "Unknown nodules: triage only.", "None funded it."]
)
def test_a_sentence_that_begins_like_a_placeholder_is_an_answer(text: str) -> None:
    fields = {"source_attributes": {"purpose": {"intended_use": text}}}
    assert missing_fields(revise_card(complete_card(), fields)) == []


def test_a_revision_keeps_facts_and_what_is_not_said_anew(card: ModelCard) -> None:
    fields = {"source_attributes": {"purpose": {"intended_use": "Triage.", "intended_users": ""}}}
    revised = revise_card(card, fields)
    assert revised.source_attributes.purpose.intended_use == "Triage."
    assert revised.source_attributes.details == card.source_attributes.details
    assert revised.facts == card.facts and revised.name == "cxr"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"facts": {}}, "no section 'facts'"),
        ({"name": "other"}, "no section 'name'"),
        (
            {"source_attributes": {"purpose": {"intended_uze": "x"}}},
            r"source_attributes\.purpose\.intended_uze",
        ),
        ({"mi_claim": {"reproducibility": {"tier": 5}}}, r"mi_claim\.reproducibility\.tier"),
        ({"source_attributes": {"purpose": "x"}}, r"source_attributes\.purpose"),
        ({"source_attributes": {"purpose": {"intended_use": ["x"]}}}, "intended_use"),
        ([], "a mapping of sections"),
    ],
)
def test_wrong_fields_are_named(card: ModelCard, fields: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        revise_card(card, fields)


def test_the_template_is_yaml_with_every_statement_empty() -> None:
    value = yaml.safe_load(template())
    names = {name for name, _, _ in statements(ModelCard())}
    found = set()
    for section, body in value.items():
        found |= {f"{section}.{name}" for name in _leaves(body)}
    assert names <= found
    assert revise_card(ModelCard(), value) == ModelCard()


def _leaves(value: dict[str, Any], prefix: str = "") -> set[str]:
    found: set[str] = set()
    for key, item in value.items():
        found |= _leaves(item, f"{prefix}{key}.") if isinstance(item, dict) else {prefix + key}
    return found


def test_a_filled_template_is_a_card_file(tmp_path: Path) -> None:
    text = template().replace('developer: ""', 'developer: "Radiology AI group"')
    (tmp_path / "card.yaml").write_text(text)
    assert read_card_file(tmp_path / "card.yaml") == {
        "source_attributes": {"details": {"developer": "Radiology AI group"}}
    }


def test_the_template_marks_what_the_platform_writes(card: ModelCard) -> None:
    marks = _marks(template())
    for name, section, field in statements(card):
        generated = getattr(section, field) not in ("", None)
        assert (marks[name] == "+") == generated, name
    assert marks["source_attributes.purpose.intended_use"] == "*"
    assert marks["source_attributes.external_validation.data_source"] == "~"


def _marks(text: str) -> dict[str, str]:
    """The mark of each field: the first word of its comment."""
    marks: dict[str, str] = {}
    parents: list[str] = []
    first = ""
    for line in text.splitlines():
        depth, word = (len(line) - len(line.lstrip())) // 2, line.strip()
        if word.startswith("#"):
            first = first or word.split()[1]
            continue
        if ":" in word:
            parents = [*parents[:depth], word.partition(":")[0]]
            marks[".".join(parents)] = first
        first = ""
    return marks


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: [1", "no YAML"),
        (b"\xff\xfe\x00", "can't be read"),
        (b"- a", "mapping"),
        (b"x" * 1_000_001, "over"),
    ],
)
def test_files_that_are_no_card_are_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "card.yaml").write_bytes(content)
    with pytest.raises(InputError, match=says):
        read_card_file(tmp_path / "card.yaml")
    with pytest.raises(InputError, match="can't be read"):
        read_card_file(tmp_path / "absent.yaml")


def test_yaml_can_not_make_objects(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("source_attributes: !!python/object/apply:os.getcwd []")
    with pytest.raises(InputError, match="no YAML"):
        read_card_file(tmp_path / "card.yaml")


def test_an_empty_file_is_an_empty_card(tmp_path: Path) -> None:
    (tmp_path / "card.yaml").write_text("# nothing yet\n")
    assert read_card_file(tmp_path / "card.yaml") == {}
