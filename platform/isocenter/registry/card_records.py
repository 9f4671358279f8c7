"""Model cards in the database: the revisions of each version's card."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select

from isocenter.cards.model_card import ModelCard
from isocenter.domain.model import ModelVersion
from isocenter.storage import schema

_TABLE = schema.card_revisions.c


@dataclass(frozen=True)
class CardRevision:
    """One state of a version's card; revision 1 is the one in its bundle.

    Args:
        revision: 1, 2, 3 ...
        card: the whole card.
        actor: who wrote it.
        at: when (UTC).
    """

    revision: int
    card: ModelCard
    actor: str
    at: datetime


def add_revision(
    connection: Connection, version: ModelVersion, revision: int, card: ModelCard, actor: str, at: datetime
) -> CardRevision:
    """Keep a new revision; the caller holds the model's lock and knows the number."""
    added = CardRevision(revision, card, actor, at)
    connection.execute(
        insert(schema.card_revisions).values(
            model=version.name,
            number=version.number,
            revision=revision,
            card=card.model_dump(mode="json"),
            actor=actor,
            at=added.at,
        )
    )
    return added


def revisions(connection: Connection, version: ModelVersion) -> tuple[CardRevision, ...]:
    """All revisions of the card of ``version``, the newest first."""
    query = (
        select(schema.card_revisions)
        .where(_TABLE.model == version.name, _TABLE.number == version.number)
        .order_by(_TABLE.revision.desc())
    )
    return tuple(_revision(row) for row in connection.execute(query))


def _revision(row: Row[Any]) -> CardRevision:
    return CardRevision(row.revision, ModelCard.model_validate(row.card), row.actor, row.at)
