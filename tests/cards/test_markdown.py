"""A card as people read it."""

from typing import Any

from markdown_it import MarkdownIt
from registrations import complete_card

from isocenter.cards import ModelCard, build_card, revise_card, to_markdown
from isocenter.datasets.summary import DatasetSummary
from isocenter.domain.evaluation import EvaluationReport
from isocenter.domain.training_plan import TrainingPlan


def headings(markdown: str) -> list[str]:
    tokens = MarkdownIt().parse(markdown)
    return [tokens[n + 1].content for n, token in enumerate(tokens) if token.type == "heading_open"]


def test_all_parts_are_there_with_tables(
    evaluation: EvaluationReport, summary: DatasetSummary, plan: TrainingPlan, lineage: dict[str, Any]
) -> None:
    text = to_markdown(build_card({}, evaluation, summary, plan, lineage, name="cxr"))
    found = headings(text)
    assert found[0] == "Model card: cxr"
    for heading in ("Source attributes (ONC HTI-1)", "MI-CLAIM", "Change control (PCCP)", "Facts", "Lineage"):
        assert heading in found
    assert "| AUROC | 0.931 (0.902 to 0.957) |" in text
    assert "| sex | F | 30 | 0.940 (0.840 to 0.990) |" in text
    assert "| sex | not stated | 30 | too small to say |" in text
    assert "| train | 280 | 210 | 90 |" in text
    html = MarkdownIt().enable("table").render(text)
    assert html.count("<table>") == 6


def test_text_from_headers_can_not_break_out(
    evaluation: EvaluationReport, summary: DatasetSummary, plan: TrainingPlan
) -> None:
    text = to_markdown(build_card({}, evaluation, summary, plan, {}, name="cxr"))
    assert "<b>" not in text
    assert r"Acme \| &lt;b&gt;X&lt;/b&gt;" in text
    assert "1" not in headings(text)


def test_a_persons_text_makes_no_headings_and_no_html() -> None:
    fields = {"source_attributes": {"purpose": {"intended_use": "One.\n\n\n# Two\n<script>\n\nThree\n==="}}}
    text = to_markdown(revise_card(ModelCard(name="cxr"), fields))
    assert not {"Two", "Three"} & set(headings(text))
    assert "<script>" not in text
    assert "One.\n\n\\# Two" in text


def test_what_is_missing_is_said_at_the_top() -> None:
    assert "> Incomplete: " in to_markdown(ModelCard(name="cxr"))
    assert "Incomplete" not in to_markdown(complete_card())
    assert "*Not written yet.*" in to_markdown(ModelCard())
