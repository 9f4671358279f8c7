"""The model card, whole: statements that people write and facts that the registry fills in."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from isocenter.cards.change_control import ChangeControl
from isocenter.cards.facts import Facts
from isocenter.cards.mi_claim import MiClaim
from isocenter.cards.source_attributes import SourceAttributes


class ModelCard(BaseModel):
    """One revision of a model's card.

    It holds neither the version's number nor its digest: the card is part of the bundle that they name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = 1
    name: str = Field(default="", description="the model's name")
    source_attributes: SourceAttributes = Field(
        default=SourceAttributes(), title="Source attributes (ONC HTI-1)"
    )
    mi_claim: MiClaim = Field(default=MiClaim(), title="MI-CLAIM")
    change_control: ChangeControl = Field(default=ChangeControl(), title="Change control (PCCP)")
    facts: Facts = Facts()
