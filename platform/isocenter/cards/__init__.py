"""Model cards: what a model is for, what it was made from, how well it does, how it will be changed."""

from isocenter.cards.completeness import missing_fields
from isocenter.cards.filling import build_card, read_card_file, revise_card
from isocenter.cards.markdown import to_markdown
from isocenter.cards.model_card import ModelCard
from isocenter.cards.template import template

__all__ = [
    "ModelCard",
    "build_card",
    "missing_fields",
    "read_card_file",
    "revise_card",
    "template",
    "to_markdown",
]
