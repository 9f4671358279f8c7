"""The YAML file in which a person writes a card's statements."""

import textwrap
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from isocenter.cards.facts import DatasetFacts, EvaluationFacts, Facts
from isocenter.cards.generated import generated_statements
from isocenter.cards.model_card import ModelCard
from isocenter.cards.statement import Need, need_of
from isocenter.domain.evaluation import SliceReport

_HEAD = """\
# Model card: what only people know about a model. Fill in what you can, leave the rest empty: the registry
# adds data, metrics, plan and lineage, and writes the fields marked + itself unless you do.
#   isocenter pipeline run ... --card card.yaml          with a new model
#   isocenter model card NAME:3 --update card.yaml       for a registered one
# Fields marked * must be written before `isocenter model promote`; those marked ~ may say "not available".
"""
_MARKS = {Need.REQUIRED: "*", Need.OR_NOT_AVAILABLE: "~", Need.OPTIONAL: ""}
_WIDTH = 108


def template() -> str:
    """YAML with every statement, empty, each explained by a comment."""
    filled = generated_statements(_any_facts())
    lines = []
    for name in ("source_attributes", "mi_claim", "change_control"):
        field = ModelCard.model_fields[name]
        lines += ["", f"# {field.title}", f"{name}:", *_section(field, filled.get(name, {}), "  ")]
    return _HEAD + "\n".join(lines) + "\n"


def _section(field: FieldInfo, filled: Any, indent: str) -> Iterator[str]:
    section = field.annotation
    if not (isinstance(section, type) and issubclass(section, BaseModel)):
        return
    for name, inner in section.model_fields.items():
        generated = filled.get(name, {}) if isinstance(filled, dict) else {}
        if isinstance(inner.annotation, type) and issubclass(inner.annotation, BaseModel):
            yield f"{indent}# {inner.title}"
            yield f"{indent}{name}:"
            yield from _section(inner, generated, indent + "  ")
        else:
            yield from _statement(section, name, bool(generated), indent)


def _statement(section: type[BaseModel], name: str, generated: bool, indent: str) -> Iterator[str]:
    field = section.model_fields[name]
    need = need_of(section, name)
    mark = "+" if generated else _MARKS[need] if need else ""
    text = f"{mark} {field.description or ''}{_choices(field)}".strip()
    wrapped = textwrap.wrap(text, _WIDTH - len(indent))
    yield from (f"{indent}# {line}" for line in wrapped)
    yield f'{indent}{name}: ""'


def _choices(field: FieldInfo) -> str:
    kinds = [field.annotation, *get_args(field.annotation)]
    values = [value for kind in kinds if get_origin(kind) is Literal for value in get_args(kind)]
    return f" One of: {', '.join(map(str, values))}." if values else ""


def _any_facts() -> Facts:
    """Facts of no model, to see which statements the platform writes."""
    sex = SliceReport(
        attribute="sex", value="", images=0, patients=0, positives=0, too_small=True, metrics={}
    )
    dataset = DatasetFacts(digest="", classes=("", ""), images=0, patients=0, attributes={"sex": {"": 0}})
    evaluation = EvaluationFacts(
        images=0,
        patients=0,
        positives=0,
        threshold=0,
        threshold_rule="",
        temperature=1,
        metrics={},
        confusion={},
        slices=(sex,),
        bootstrap_replicates=0,
    )
    return Facts(dataset=dataset, evaluation=evaluation)
