"""A card as Markdown, for people."""

import html
import re
from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel

from isocenter.cards.completeness import missing_fields
from isocenter.cards.facts import DatasetFacts, EvaluationFacts, Facts
from isocenter.cards.model_card import ModelCard
from isocenter.cards.statement import Need, need_of
from isocenter.cards.wording import METRIC_NAMES, attribute, estimate, stated

_NOT_WRITTEN = "*Not written yet.*"
_NOT_AVAILABLE = "*Not available.*"


def to_markdown(card: ModelCard) -> str:
    """The whole card, with what is still missing at its top."""
    lines = [f"# Model card: {_text(card.name or 'unnamed')}", "", *_missing(card)]
    for name in ("source_attributes", "mi_claim", "change_control"):
        title = ModelCard.model_fields[name].title or name
        lines += [f"## {title}", "", *_section(getattr(card, name), 3)]
    facts = list(_facts(card.facts))
    lines += ["## Facts", "", *facts] if facts else []
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _missing(card: ModelCard) -> Iterator[str]:
    missing = missing_fields(card)
    if missing:
        yield f"> Incomplete: {len(missing)} statements that promotion needs are not written."
        yield ""


def _section(section: BaseModel, level: int) -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value, title = getattr(section, name), field.title or name
        if isinstance(value, BaseModel):
            yield from (f"{'#' * level} {title}", "", *_section(value, level + 1))
        else:
            need = need_of(type(section), name)
            yield from (f"**{title}.** {_statement(value, need)}", "")


def _statement(value: object, need: Need | None) -> str:
    if value in (None, ""):
        return _NOT_AVAILABLE if need is Need.OPTIONAL else _NOT_WRITTEN
    return _text(str(value))


def _facts(facts: Facts) -> Iterator[str]:
    if facts.dataset:
        yield from _dataset(facts.dataset)
    if facts.evaluation:
        yield from _evaluation(facts.evaluation)
    for title, values in (("Training plan", facts.plan), ("Lineage", facts.lineage)):
        if values:
            rows = [(key, _short(value)) for key, value in values.items()]
            yield from (f"### {title}", "", *_table(("", ""), rows), "")


def _dataset(dataset: DatasetFacts) -> Iterator[str]:
    yield from ("### Dataset", "")
    yield f"{dataset.images} images of {dataset.patients} patients; `{dataset.digest}`."
    yield ""
    rows = [(s.name, s.images, s.patients, s.positives) for s in dataset.splits]
    yield from _table(("Split", "Images", "Patients", "Positive images"), rows)
    yield ""
    values = [
        (attribute(name), stated(value), count)
        for name, counts in dataset.attributes.items()
        for value, count in counts.items()
    ]
    yield from (*_table(("Attribute", "Value", "Images"), values), "")


def _evaluation(evaluation: EvaluationFacts) -> Iterator[str]:
    yield from ("### Performance on test images", "")
    yield (
        f"{evaluation.images} images of {evaluation.patients} patients, {evaluation.positives} positive. "
        f"Threshold {evaluation.threshold:.3f} ({_text(evaluation.threshold_rule)}); 95 % intervals from "
        f"{evaluation.bootstrap_replicates} bootstrap replicates over patients."
    )
    yield ""
    metrics = [(METRIC_NAMES.get(name, name), estimate(value)) for name, value in evaluation.metrics.items()]
    yield from (*_table(("Metric", "Value (95 % interval)"), metrics), "")
    yield from ("### Performance by subgroup", "")
    slices = [
        (
            attribute(item.attribute),
            stated(item.value),
            item.patients,
            "too small to say" if item.too_small else estimate(item.metrics.get("auroc")),
        )
        for item in evaluation.slices
    ]
    yield from (*_table(("Attribute", "Value", "Patients", "AUROC (95 % interval)"), slices), "")


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(_cell(value) for value in row)} |"


def _cell(value: object) -> str:
    return "" if value is None else _text(str(value)).replace("|", "\\|").replace("\n", " ")


def _short(value: object) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _text(value: str) -> str:
    """Text from outside: no HTML, no headings, one blank line at most."""
    safe = re.sub(r"\n\s*\n\s*", "\n\n", html.escape(value, quote=False))
    return re.sub(r"(?m)^[ \t]*(#|[=-]+[ \t]*$)", r"\\\1", safe)
