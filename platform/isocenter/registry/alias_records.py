"""Aliases in the database: where each points, and each move that it ever made."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import Connection, insert, select

from isocenter.domain.model import Alias, AliasMove, Approval, ModelVersion
from isocenter.storage import schema
from isocenter.storage.database import Database

_MOVE = schema.alias_moves.c
_APPROVAL = schema.approvals.c


def move_alias(
    database: Database,
    connection: Connection,
    version: ModelVersion,
    alias: Alias,
    actor: str,
    reason: str,
    at: datetime,
) -> AliasMove | None:
    """Point ``alias`` at ``version`` and keep the move; None if it pointed there already."""
    table = schema.aliases.c
    before = connection.execute(
        select(table.number).where(table.model == version.name, table.alias == alias.value)
    ).scalar()
    if before == version.number:
        return None
    pointer = {"model": version.name, "alias": alias.value, "number": version.number}
    statement = database.upsert(schema.aliases).values(pointer)
    connection.execute(
        statement.on_conflict_do_update(index_elements=["model", "alias"], set_={"number": version.number})
    )
    move = AliasMove(version.name, alias, before, version.number, actor, reason, at)
    connection.execute(insert(schema.alias_moves).values({**asdict(move), "alias": alias.value}))
    return move


def alias_moves(connection: Connection, name: str) -> tuple[AliasMove, ...]:
    """All moves of the aliases of the model ``name``, the newest first."""
    query = select(schema.alias_moves).where(_MOVE.model == name).order_by(_MOVE.id.desc())
    return tuple(
        AliasMove(r.model, Alias(r.alias), r.from_number, r.number, r.actor, r.reason, r.at)
        for r in connection.execute(query)
    )


def record_approval(connection: Connection, approval: Approval) -> None:
    """Keep ``approval``."""
    row = {**asdict(approval), "alias": approval.alias.value}
    connection.execute(insert(schema.approvals).values(row))


def approvals(connection: Connection, name: str) -> tuple[Approval, ...]:
    """All approvals for the model ``name``, the newest first."""
    query = select(schema.approvals).where(_APPROVAL.model == name).order_by(_APPROVAL.id.desc())
    return tuple(
        Approval(r.model, r.number, Alias(r.alias), r.actor, r.reason, r.at)
        for r in connection.execute(query)
    )
