"""Which versions are to be mirrored where, and how far that got.

What is due is not queued but derived: the registry says what a mirror should hold, a digest here what was
carried last. So nothing is lost when a mirror is down, and nothing is carried twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from isocenter.domain.model import ModelVersion
from isocenter.storage import schema
from isocenter.storage.database import Database

_TABLE = schema.model_mirrors
_LONGEST_ERROR = 500


@dataclass(frozen=True)
class MirrorRecord:
    """One version on one target.

    Args:
        model: its name.
        number: of the version.
        target: where it is to be mirrored.
        provider_id: the provider's id of it; None before it was there.
        carried: digest of what was carried last.
        attempts: tries since it was carried last.
        error: why the last try failed.
        tried_at: when it was tried last (UTC).
    """

    model: str
    number: int
    target: str
    provider_id: str | None
    carried: str | None
    attempts: int
    error: str | None
    tried_at: datetime | None

    @property
    def reference(self) -> str:
        """``name:number``."""
        return f"{self.model}:{self.number}"


def want_mirror(database: Database, connection: Connection, version: ModelVersion, target: str) -> None:
    """Have ``version`` mirrored to ``target`` from now on, as part of the transaction that made it."""
    row = {"model": version.name, "number": version.number, "target": target, "attempts": 0}
    connection.execute(database.upsert(_TABLE).values(row).on_conflict_do_nothing())


def mirror_records(database: Database, target: str | None = None) -> tuple[MirrorRecord, ...]:
    """All records, or those of one target, the oldest version first."""
    query = select(_TABLE).order_by(_TABLE.c.model, _TABLE.c.number, _TABLE.c.target)
    if target is not None:
        query = query.where(_TABLE.c.target == target)
    with database.read() as connection:
        return tuple(_record(row) for row in connection.execute(query))


def mirrors_of(database: Database, version: ModelVersion) -> tuple[MirrorRecord, ...]:
    """The records of one version."""
    query = select(_TABLE).where(_TABLE.c.model == version.name, _TABLE.c.number == version.number)
    with database.read() as connection:
        return tuple(_record(row) for row in connection.execute(query.order_by(_TABLE.c.target)))


def record_id(database: Database, record: MirrorRecord, provider_id: str) -> None:
    """Keep the provider's id: it is known before aliases and approval are carried."""
    with database.write() as connection:
        _update(connection, record, {"provider_id": provider_id})


def record_carried(connection: Connection, record: MirrorRecord, digest: str) -> None:
    """Keep that the mirror holds what has this digest."""
    now = datetime.now(UTC)
    _update(connection, record, {"carried": digest, "attempts": 0, "error": None, "tried_at": now})


def record_failure(connection: Connection, record: MirrorRecord, error: str) -> None:
    """Keep why a try failed; the next one is made later."""
    told = {"attempts": record.attempts + 1, "error": error[:_LONGEST_ERROR], "tried_at": datetime.now(UTC)}
    _update(connection, record, told)


def _update(connection: Connection, record: MirrorRecord, values: Mapping[str, Any]) -> None:
    key = (
        (_TABLE.c.model == record.model)
        & (_TABLE.c.number == record.number)
        & (_TABLE.c.target == record.target)
    )
    connection.execute(update(_TABLE).where(key).values(dict(values)))


def _record(row: Row[Any]) -> MirrorRecord:
    return MirrorRecord(
        row.model, row.number, row.target, row.provider_id, row.carried, row.attempts, row.error, row.tried_at
    )
